// What is known now: prices, positions, pumps, and how fresh it is. Fed by the stream; views listen.
import { Stream } from "./stream.js";

const OLD_MS = 30_000; // of wall time without a price: what is shown is old
const PUMPS_KEPT = 400;

export const live = {
  state: "idle", // connecting, live, lost, refused
  detail: "",
  prices: new Map(), // symbol → [last, mark, at]
  positions: new Map(), // id → position
  pumps: new Map(), // symbol → {pump, at, …} of those that are pumped
  clock_ms: 0, // the venue's
  heard: 0, // wall time of the newest price
  lostAt: 0,
  changes: new Map(), // symbol → over 24 h, a fraction
};

// Topics of the stream that every view wants; "matrix" and "candles" are for those who ask.
export const TOPICS = [
  "positions",
  "prices",
  "orders",
  "signals",
  "pumps",
  "infra",
  "answers",
  "notices",
];

const listeners = new Map(); // type → set
let frame = 0;
const changed = new Set();

// Calls `then(message)` on each message of a type; returns what ends it.
export function on(type, then) {
  if (!listeners.has(type)) listeners.set(type, new Set());
  listeners.get(type).add(then);
  return () => listeners.get(type).delete(then);
}

function tell(type, message) {
  for (const each of listeners.get(type) ?? []) each(message);
}

// Prices that changed since the last frame are told once a frame.
function priced() {
  frame = 0;
  const names = [...changed];
  changed.clear();
  tell("prices", names);
}

function take(message) {
  switch (message.type) {
    case "price_update_batch":
      for (const [symbol, price] of Object.entries(message.prices)) {
        live.prices.set(symbol, price);
        changed.add(symbol);
        if (price[2] > live.clock_ms) live.clock_ms = price[2];
      }
      live.heard = Date.now();
      if (changed.size && !frame) frame = requestAnimationFrame(priced);
      break;
    case "initial_data":
      live.positions = new Map((message.positions ?? []).map((each) => [each.id, each]));
      live.pumps.clear();
      for (const each of message.pumps ?? []) pumped(each);
      if (message.clock_ms > live.clock_ms) live.clock_ms = message.clock_ms;
      tell("pumps", message);
      tell("positions", message);
      tell("agents", message);
      break;
    case "position_update":
      if (message.change === "closed") live.positions.delete(message.position.id);
      else live.positions.set(message.position.id, message.position);
      tell("positions", message);
      break;
    case "pump":
      pumped(message.pump);
      break;
  }
  tell(message.type, message);
}

export function pumped(state) {
  const { symbol } = state;
  const is = state.pump !== "none" && state.kind !== "ended";
  if (is && (live.pumps.has(symbol) || live.pumps.size < PUMPS_KEPT)) live.pumps.set(symbol, state);
  else if (!is) live.pumps.delete(symbol);
  tell("pumps", state);
}

function standing(state, detail, code = 0) {
  if (state === "lost" && live.state === "live") live.lostAt = Date.now();
  live.state = state === "connecting" && live.state === "lost" ? "lost" : state;
  live.detail = detail;
  tell("state", { state: live.state, detail, code });
}

export const stream = new Stream(take, standing);

export const isOld = () =>
  live.state === "live" && live.heard > 0 && Date.now() - live.heard > OLD_MS;

// A position's open PnL at the newest mark that is known.
export function pnlOf(position) {
  const mark = live.prices.get(position.symbol)?.[1];
  const size = Number(position.size),
    entry = Number(position.entry);
  if (mark === undefined || !Number.isFinite(entry) || !size)
    return Number(position.unrealised ?? NaN);
  return (position.side === "short" ? -1 : 1) * (Number(mark) - entry) * size;
}
export const markOf = (position) => live.prices.get(position.symbol)?.[1] ?? position.mark;

addEventListener("online", () => stream.now());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) stream.now();
});
