// Folds every order of every vector with the example in Node, and prints the views as JSON: {file: [{request: view}, …]}.
// Usage: node fold_vectors.mjs FOLD.mjs VECTORS
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [foldFile, folder] = process.argv.slice(2);
const { AGGREGATE, KNOWN, apply, view } = await import(pathToFileURL(foldFile));
const result = {};
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const { records, orders } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  result[file] = orders.map((order) => {
    const state = {};
    for (const { topic, key, sequence, value } of order.map((index) => records[index])) {
      const known = state[key] ?? {};
      state[key] = apply(known, topic, sequence, value);
      if (apply(state[key], topic, sequence, value) !== state[key]) throw new Error(`${file}: a repetition changed something`);
    }
    return Object.fromEntries(Object.entries(state).map(([key, known]) => [key, view(known)]));
  });
}
console.log(JSON.stringify({ AGGREGATE: Object.fromEntries(AGGREGATE), KNOWN, result }));
