// Cells and lines that several views show alike.
import { make, symbolLink } from "./elements.js";
import {
  amount,
  gain,
  moment,
  note,
  share,
  shortMoment,
  time,
  tone,
  toneOf,
  words,
} from "./format.js";
import { live, markOf, pnlOf } from "../data/live.js";
import { priceOf } from "../data/symbols.js";

export const sideTag = (side) => make("span", { class: `tag ${toneOf(side)}` }, side);

// Columns of open positions; their mark and PnL are read from the live prices.
export const POSITION_COLUMNS = [
  {
    label: "Symbol",
    value: (row) => row.symbol,
    cell: (row) => symbolLink(row.symbol),
    mark: (row) => row.symbol,
  },
  {
    label: "Side",
    value: (row) => row.side,
    cell: (row) => sideTag(row.side),
    mark: (row) => row.side,
  },
  {
    label: "PnL",
    number: true,
    name: "strong",
    value: pnlOf,
    cell: (row) => gain(pnlOf(row)),
    tone: (row) => tone(pnlOf(row)),
  },
  {
    label: "%",
    number: true,
    spare: true,
    value: returnOf,
    cell: (row) => share(returnOf(row)),
    tone: (row) => tone(returnOf(row)),
  },
  { label: "Agent", value: (row) => row.agent, cell: (row) => row.agent },
  {
    label: "Size",
    number: true,
    spare: true,
    value: (row) => Number(row.size),
    cell: (row) => amount(row.size),
  },
  {
    label: "Entry",
    number: true,
    spare: true,
    value: (row) => Number(row.entry),
    cell: (row) => priceOf(row.symbol, row.entry),
  },
  { label: "Mark", number: true, spare: true, cell: (row) => priceOf(row.symbol, markOf(row)) },
  {
    label: "Stop",
    number: true,
    spare: true,
    value: (row) => Number(row.stop),
    cell: (row) => priceOf(row.symbol, row.stop),
  },
  {
    label: "Peak",
    number: true,
    spare: true,
    rich: true,
    cell: (row) => priceOf(row.symbol, row.peak),
  },
  {
    label: "Source",
    spare: true,
    rich: true,
    value: (row) => row.source,
    cell: (row) => row.source,
  },
  {
    label: "Open for",
    number: true,
    spare: true,
    value: (row) => -row.opened_ms,
    cell: (row) => ageOf(row),
  },
];

function returnOf(position) {
  const cost = Number(position.entry) * Number(position.size);
  return cost ? pnlOf(position) / cost : null;
}

function ageOf(position) {
  const ms =
    position.opened_ms && live.clock_ms ? live.clock_ms - position.opened_ms : position.age_ms;
  if (ms === undefined || ms === null) return "–";
  const m = Math.max(0, Math.floor(ms / 60_000));
  return m < 60
    ? `${m}m`
    : m < 2_880
      ? `${Math.floor(m / 60)}h ${String(m % 60).padStart(2, "0")}m`
      : `${Math.floor(m / 1_440)}d`;
}

// A signal as a line of a feed.
export function signalLine(signal) {
  return make(
    "li",
    {},
    make(
      "span",
      { class: "quiet", title: `${moment(signal.close_ms)} UTC` },
      shortTime(signal.close_ms),
    ),
    make(
      "span",
      {},
      symbolLink(signal.symbol),
      " ",
      sideTag(signal.side),
      " ",
      make("span", { class: "quiet" }, signal.source),
    ),
    make("span", { class: toneOf(signal.side) }, note(signal.strength).replace("+", "")),
    make("span", { class: "reason", title: signal.reason }, signal.reason),
  );
}

// The time alone for what is of the venue's day, with the date otherwise.
export function shortTime(ms) {
  const near = live.clock_ms && Math.abs(live.clock_ms - ms) < 20 * 3_600_000;
  return near || !live.clock_ms ? time(ms).slice(0, 5) : shortMoment(ms);
}

export const reasonOf = (trade) => words(trade.reason) || "open";

// Replaces a feed's lines, at most `most`, or says that there is none.
export function feed(list, rows, line, most, none) {
  list.replaceChildren(
    ...(rows.length
      ? rows.slice(0, most).map(line)
      : [make("li", {}, make("span", { class: "quiet" }, none))]),
  );
}
