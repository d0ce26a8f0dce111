// Notes of symbols by engine: as REST tells them whole, and as the stream brings them row by row.
import { get } from "./rest.js";

let weights = new Map(); // engine → evaluator → weight

// All symbols' notes: symbol → {symbol, close_ms, engines}.
export async function matrix(symbol, left) {
  const [found, engines] = await Promise.all([
    get("/matrix", { symbol }, left),
    get("/engines", {}, left),
  ]);
  weights = new Map(
    engines.items.map((each) => [
      each.engine,
      new Map(each.evaluators.map((one) => [one.name, one.weight])),
    ]),
  );
  return new Map(found.items.map((each) => [each.symbol, each]));
}

// Takes a row of topic `matrix` into what is known; whether an engine is new.
export function noted(known, row) {
  const engines = {};
  for (const [name, verdict] of Object.entries(row.verdicts)) {
    const notes = row.notes[name] ?? {};
    engines[name] = {
      granularity: row.granularity,
      close_ms: row.close_ms,
      score: scoreOf(name, notes),
      verdict,
      notes,
      absent: row.absent[name] ?? {},
    };
  }
  const before = known.get(row.symbol);
  if (!before) {
    known.set(row.symbol, { symbol: row.symbol, close_ms: row.close_ms, engines });
    return true;
  }
  const fresh = Object.keys(engines).some((name) => !(name in before.engines));
  Object.assign(before.engines, engines);
  before.close_ms = Math.max(before.close_ms, row.close_ms);
  return fresh;
}

// The weighted mean of the notes that are there, as the engine weighs them.
function scoreOf(engine, notes) {
  let total = 0,
    whole = 0;
  for (const [name, value] of Object.entries(notes)) {
    const weight = weights.get(engine)?.get(name) ?? 1;
    total += weight * value;
    whole += weight;
  }
  return whole ? total / whole : null;
}
