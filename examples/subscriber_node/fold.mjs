// The state of a request, folded from Pelangi's public events: the same from any order and any repetition. Pure.
//
// What is kept of a request is the newest event of each (type, aggregate); every event replaces all earlier ones of its
// pair. A cancelled visit stays cancelled, a withdrawn document withdrawn, a closed request closed, whatever arrives later.
// Fields that are not known are kept and not looked at; a value that is not known shows as UNKNOWN; a type is left out.
// `subscriber_python/fold.py` is the same in Python, and `vectors/` holds histories with the state that both must reach.

export const AGGREGATE = new Map([ // topic = event type: the field of its data that names what the event is about
  ['request-created.v1', 'request_id'],
  ['visit-scheduled.v1', 'visit_id'],
  ['visit-completed.v1', 'visit_id'],
  ['document-issued.v1', 'document_id'],
  ['document-handed-over.v1', 'document_id'],
  ['document-withdrawn.v1', 'document_id'],
  ['item-closed.v1', 'item_id'],
  ['request-closed.v1', 'request_id'],
]);

export const KNOWN = { // the values shown here; the schemas mark them `x-extensible`, so more may come
  schedule: ['SCHEDULED', 'RESCHEDULED', 'CANCELLED'],
  visit: ['DONE', 'PARTIAL', 'FAILED'],
  item: ['DONE', 'REJECTED', 'WITHDRAWN'],
  closing: ['COMPLETED', 'PARTIAL', 'WITHDRAWN', 'REJECTED', 'DUPLICATE', 'OUT_OF_AREA', 'OTHER'],
  document: [
    'BIODATA', 'KK', 'KTP', 'KIA', 'BIRTH_CERT', 'DEATH_CERT', 'MARRIAGE_CERT', 'DIVORCE_CERT', 'MOVE_OUT_LETTER',
  ],
};

/** What is known of one request after one more event; the very same object where the event says nothing new. */
export function apply(known, type, sequence, data) {
  if (!AGGREGATE.has(type)) return known;
  const aggregate = data[AGGREGATE.get(type)];
  if (typeof aggregate !== 'string') throw new TypeError(`${type} without ${AGGREGATE.get(type)}`);
  const keys = [`${type} ${aggregate}`];
  if (type === 'visit-scheduled.v1' && data.status === 'CANCELLED') {
    keys.push(`cancelled ${aggregate}`); // kept apart: a cancellation is final
  }
  const newer = keys.filter((key) => !(key in known) || known[key].sequence < sequence);
  if (newer.length === 0) return known;
  return { ...known, ...Object.fromEntries(newer.map((key) => [key, { sequence, data }])) };
}

/** How a request stands, from what is known of it. `created` is null where that event was never seen. */
export function view(known) {
  const events = {};
  for (const [key, { data }] of Object.entries(known)) {
    const [type, aggregate] = key.split(' ');
    (events[type] ??= {})[aggregate] = data;
  }
  const newest = (type) => events[`${type}.v1`] ?? {};
  const [closed = null] = Object.values(newest('request-closed'));
  const [created = null] = Object.values(newest('request-created'));
  const documents = allDocuments(newest('document-issued'), newest('document-handed-over'), newest('document-withdrawn'));
  return {
    status: closed ? `CLOSED ${shown('closing', closed.outcome)}` : 'OPEN',
    created,
    visits: allVisits(newest('visit-scheduled'), newest('visit-completed'), events.cancelled ?? {}),
    documents,
    current: currentOf(documents),
    items: mapValues(newest('item-closed'), (data) => shown('item', data.outcome)),
  };
}

/** A value as this version knows it. */
function shown(of, value) {
  return KNOWN[of].includes(value) ? value : 'UNKNOWN';
}

function allVisits(scheduled, completed, cancelled) {
  return mapValues({ ...scheduled, ...completed }, (_, visit) => {
    const planned = cancelled[visit] ?? scheduled[visit];
    let status = 'CANCELLED';
    if (!cancelled[visit]) {
      status = completed[visit] ? shown('visit', completed[visit].outcome) : shown('schedule', planned.status);
    }
    return { status, date: planned ? planned.date : null };
  });
}

/** Every document: a later step wins. The edition is null where only the hand-over was seen. */
function allDocuments(issued, handedOver, withdrawn) {
  const documents = {};
  for (const [status, step] of [['ISSUED', issued], ['HANDED_OVER', handedOver], ['WITHDRAWN', withdrawn]]) {
    for (const [document, data] of Object.entries(step)) {
      const edition = (issued[document] ?? withdrawn[document])?.edition ?? null;
      documents[document] = { status, kind: shown('document', data.document_kind), edition, item: data.item_id };
    }
  }
  return documents;
}

/** Per item and kind the document that counts: the newest edition that was not withdrawn. */
function currentOf(documents) {
  const current = {};
  const order = ([a, x], [b, y]) => (x.edition ?? 0) - (y.edition ?? 0) || (a < b ? -1 : 1);
  for (const [document, { status, item, kind }] of Object.entries(documents).sort(order)) {
    if (status !== 'WITHDRAWN') (current[item] ??= {})[kind] = document;
  }
  return current;
}

/** One request for people to read. */
export function line(requestId, { status, visits, documents, items }) {
  const dates = Object.values(visits).map((v) => `${v.date}=${v.status}`).join(' ');
  const papers = Object.values(documents).map((d) => `${d.kind}=${d.status}`).join(' ');
  return `${requestId} ${status} visits[${dates}] documents[${papers}] items[${Object.keys(items).length} closed]`;
}

function mapValues(object, make) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, make(value, key)]));
}
