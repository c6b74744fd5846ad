// Keeps the state of every request in a JSON file, from Pelangi's public topics. Copy this folder and change it.
//
// The file holds the state and how far each partition was read; it is written first, and committed to Kafka second. After a
// crash some records come again, and the fold drops what it knows. Without the file everything is read anew: the topics keep
// 30 days.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as after } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import kafkajs from 'kafkajs';
import { AGGREGATE, apply, line, view } from './fold.mjs';

const { values: options } = parseArgs({
  options: {
    bootstrap: { type: 'string', default: '127.0.0.1:9092' },
    user: { type: 'string', default: 'city.demo' },
    password: { type: 'string', default: 'city.demo-dev' },
    group: { type: 'string' }, // a group of yours: its name begins with your user and a dot
    state: { type: 'string', default: 'state.json' },
    once: { type: 'boolean', default: false }, // read to the present end, print the state as JSON, stop
  },
});

const state = existsSync(options.state) ? JSON.parse(readFileSync(options.state, 'utf8')) : { read: {}, requests: {} };
const kafka = new kafkajs.Kafka({
  brokers: options.bootstrap.split(','),
  clientId: options.user,
  sasl: { mechanism: 'scram-sha-512', username: options.user, password: options.password },
  ssl: false, // with TLS: true, or { ca: [...] }
  logLevel: kafkajs.logLevel.ERROR,
});
const topics = [...AGGREGATE.keys()];

/** Folds one record into the state; the request it changed. */
function fold(topic, partition, message) {
  try {
    const requestId = message.key.toString();
    const sequence = Number(message.headers.ce_sequence.toString());
    if (!Number.isSafeInteger(sequence)) throw new TypeError('ce_sequence is not a number');
    const known = state.requests[requestId] ?? {};
    const newer = apply(known, topic, sequence, JSON.parse(message.value.toString()));
    view(newer);
    state.requests[requestId] = newer;
    return newer === known ? null : requestId;
  } catch (error) { // not an event: say where, and go on
    console.error(`skipped ${topic}-${partition}-${message.offset}: ${error.name}`);
    return null;
  }
}

/** The old file or the new one, never half of it. */
function save() {
  const file = openSync(`${options.state}.new`, 'w');
  writeFileSync(file, JSON.stringify(state));
  fsyncSync(file);
  closeSync(file);
  renameSync(`${options.state}.new`, options.state);
}

/** What a partition holds now, from the oldest record kept to the end. */
async function present() {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const ranges = await Promise.all(topics.map(async (topic) => (await admin.fetchTopicOffsets(topic)).map(
      ({ partition, low, high }) => ({ topic, partition, at: `${topic} ${partition}`, low: Number(low), high: Number(high) }),
    )));
    return ranges.flat();
  } finally {
    await admin.disconnect();
  }
}

const partitions = await present();
for (const { at, low } of partitions) state.read[at] = Math.max(state.read[at] ?? 0, low);
const consumer = kafka.consumer({
  groupId: options.group ?? `${options.user}.state-node`,
  readUncommitted: false, // only what was really published
});

let stop;
const stopped = new Promise((resolve, reject) => {
  stop = resolve;
  consumer.on(consumer.events.CRASH, ({ payload }) => { if (!payload.restart) reject(payload.error); });
});
const stopAtTheEnd = () => {
  if (options.once && partitions.every(({ at, high }) => state.read[at] >= high)) stop();
};
const removeListener = consumer.on(consumer.events.GROUP_JOIN, () => { // at the start the file says where to begin
  removeListener();
  for (const { topic, partition, at } of partitions) consumer.seek({ topic, partition, offset: String(state.read[at]) });
});
consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
  state.read[`${topic} ${partition}`] = Number(lastOffset) + 1; // ends of transactions count, and are shown to nobody
  stopAtTheEnd();
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);

await consumer.connect();
await consumer.subscribe({ topics, fromBeginning: true });
await consumer.run({
  autoCommit: false, // first the file, then the commit
  eachBatch: async ({ batch: { topic, partition, messages }, heartbeat }) => {
    const changed = new Set(messages.map((message) => fold(topic, partition, message)).filter(Boolean));
    const next = Number(messages.at(-1).offset) + 1;
    state.read[`${topic} ${partition}`] = next;
    save();
    await consumer.commitOffsets([{ topic, partition, offset: String(next) }]);
    if (!options.once) for (const id of [...changed].sort()) console.log(line(id, view(state.requests[id])));
    await heartbeat();
  },
});
stopAtTheEnd();
await stopped;
save();
await Promise.race([consumer.disconnect(), after(5000)]); // without Kafka it would wait for long; all is in the file
if (options.once) {
  const views = Object.fromEntries(Object.entries(state.requests).map(([id, known]) => [id, view(known)]));
  await new Promise((written) => process.stdout.write(`${JSON.stringify(views)}\n`, written)); // whole, before the exit
}
process.exit();
