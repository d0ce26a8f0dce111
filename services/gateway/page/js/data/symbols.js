// Which symbols are followed, and how each of them is written and moved: asked for once a while.
import { price } from "../parts/format.js";
import { live } from "./live.js";
import { get } from "./rest.js";

const AGAIN_MS = 60_000;
let items = [],
  lengths = [],
  asked = 0,
  waiting = null;

export const followed = () =>
  items.length ? items.map((each) => each.symbol) : [...live.prices.keys()].sort();

// The symbols with what is known of each; from memory where that is young.
export async function symbols() {
  if (items.length && Date.now() - asked < AGAIN_MS) return items;
  waiting ??= all().finally(() => {
    waiting = null;
  });
  return waiting;
}

async function all() {
  const found = await get("/symbols");
  items = found.items;
  lengths = found.granularities;
  asked = Date.now();
  live.changes = new Map(
    items.filter((each) => each.change !== null).map((each) => [each.symbol, each.change]),
  );
  return items;
}

export const granularities = () => lengths;
export const about = (symbol) => items.find((each) => each.symbol === symbol);

// Places after the point of a symbol's prices: those of the venue's step, where it is known.
export function places(symbol) {
  const text = about(symbol)?.price_step ?? live.prices.get(symbol)?.[0] ?? "";
  if (!text) return null;
  const point = text.indexOf(".");
  return point < 0 ? 0 : Math.min(12, text.length - point - 1);
}

export const priceOf = (symbol, value) => price(value, places(symbol));
