// Columns of trades, orders and refusals; a trade's figures.
import { shortTime, sideTag } from "../parts/cells.js";
import { make, symbolLink } from "../parts/elements.js";
import {
  amount,
  duration,
  gain,
  money,
  plain,
  share,
  shortMoment,
  tone,
  words,
} from "../parts/format.js";
import { priceOf } from "../data/symbols.js";

export const COLUMNS = [
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
    value: (row) => Number(row.pnl),
    cell: (row) => gain(row.pnl),
    tone: (row) => tone(row.pnl),
  },
  { label: "Agent", value: (row) => row.agent, cell: (row) => row.agent },
  { label: "Source", spare: true, value: (row) => row.source, cell: (row) => row.source },
  { label: "Size", number: true, spare: true, cell: (row) => amount(row.size_max) },
  {
    label: "Entry",
    number: true,
    spare: true,
    cell: (row) => priceOf(row.symbol, row.entry_price),
  },
  {
    label: "Exit",
    number: true,
    spare: true,
    cell: (row) => (row.closed_ms ? priceOf(row.symbol, row.exit_price) : "open"),
  },
  {
    label: "Closed",
    number: true,
    value: (row) => row.closed_ms ?? Infinity,
    cell: (row) => (row.closed_ms ? shortTime(row.closed_ms) : "open"),
  },
  {
    label: "%",
    number: true,
    spare: true,
    value: returned,
    cell: (row) => share(returned(row)),
    tone: (row) => tone(returned(row)),
  },
  {
    label: "Held",
    number: true,
    spare: true,
    value: (row) => row.duration_ms,
    cell: (row) => duration(row.duration_ms),
  },
  {
    label: "Fees",
    number: true,
    spare: true,
    value: (row) => Number(row.fees),
    cell: (row) => money(row.fees),
  },
  { label: "Ended by", value: (row) => row.reason, cell: (row) => words(row.reason) || "open" },
];
export const ORDERS = [
  { label: "When", cell: (row) => shortMoment(row.changed_ms) },
  { label: "Symbol", cell: (row) => symbolLink(row.symbol), mark: (row) => row.symbol },
  { label: "Agent", cell: (row) => row.agent },
  {
    label: "Does",
    cell: (row) => (row.action ? `${words(row.action)} ${row.side}` : "venue's own"),
  },
  { label: "Leg", spare: true, cell: (row) => words(row.leg) },
  {
    label: "State",
    cell: (row) => words(row.state),
    tone: (row) => (/refused|unknown|expired/.test(row.state) ? "bad" : ""),
  },
  { label: "Filled", number: true, cell: (row) => `${plain(row.filled)} of ${plain(row.size)}` },
  { label: "Decided at", number: true, spare: true, cell: (row) => priceOf(row.symbol, row.price) },
  { label: "Reason", name: "text", spare: true, cell: (row) => row.told || row.reason },
];
export const REFUSALS = [
  { label: "When", cell: (row) => shortMoment(row.at) },
  { label: "Symbol", cell: (row) => symbolLink(row.symbol), mark: (row) => row.symbol },
  { label: "Side", cell: (row) => sideTag(row.side), mark: (row) => row.side },
  { label: "Agent", cell: (row) => row.agent },
  { label: "Source", spare: true, cell: (row) => row.source },
  { label: "Why not", value: (row) => row.reason, cell: (row) => words(row.reason) },
  { label: "Detail", name: "text", cell: (row) => row.detail },
];

function returned(row) {
  const notional = Number(row.entry_notional);
  return notional ? Number(row.pnl) / notional : null;
}

export function figures(row) {
  const pairs = [
    ["Opened", shortMoment(row.opened_ms)],
    ["Closed", row.closed_ms ? shortMoment(row.closed_ms) : "open"],
    ["Held for", duration(row.duration_ms)],
    ["Entry", priceOf(row.symbol, row.entry_price)],
    ["Exit", priceOf(row.symbol, row.exit_price)],
    ["Size", plain(row.size_max)],
    ["Stop", priceOf(row.symbol, row.stop)],
    ["Fees", money(row.fees)],
    ["Funding", money(row.funding)],
    ["Leverage", row.leverage ? `${row.leverage} ×` : "–"],
    ["From", row.source],
    ["Ended by", words(row.reason) || "open"],
  ];
  return pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
}
