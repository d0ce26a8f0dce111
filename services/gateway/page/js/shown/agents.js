// Columns of the table of agents.
import { make } from "../parts/elements.js";
import { count, gain, money, number, tone } from "../parts/format.js";

export function agentColumns() {
  const off = (row) =>
    ["trading", "buying", "selling"].filter((each) => row.switches?.[each] === false);
  return [
    {
      label: "Agent",
      value: (row) => row.agent,
      cell: (row) =>
        make(
          "span",
          {},
          make("span", { class: "strong" }, row.agent),
          " ",
          row.mode === "live" && make("span", { class: "tag warn" }, "live"),
        ),
      mark: (row) => row.agent + row.mode,
    },
    { label: "Mode", spare: true, cell: (row) => row.trading_mode },
    {
      label: "Follows",
      spare: true,
      cell: (row) => (row.engines?.length ? row.engines.join(", ") : "all engines"),
    },
    {
      label: "Balance",
      number: true,
      value: (row) => number(row.balance),
      cell: (row) => money(row.balance),
    },
    {
      label: "Today",
      number: true,
      value: (row) => number(row.pnl_today),
      cell: (row) => gain(row.pnl_today),
      tone: (row) => tone(row.pnl_today),
    },
    {
      label: "PnL",
      number: true,
      value: (row) => number(row.pnl),
      cell: (row) => gain(row.pnl),
      tone: (row) => tone(row.pnl),
    },
    {
      label: "Open PnL",
      number: true,
      spare: true,
      value: (row) => number(row.unrealised),
      cell: (row) => gain(row.unrealised),
      tone: (row) => tone(row.unrealised),
    },
    {
      label: "Open",
      number: true,
      value: (row) => row.positions,
      cell: (row) => count(row.positions),
    },
    {
      label: "State",
      cell: (row) => stateOf(row, off(row)),
      tone: (row) => (row.blocked || off(row).length ? "warn" : "quiet"),
    },
  ];
}

const stateOf = (row, off) => row.blocked || (off.length ? `${off.join(", ")} off` : "trades");
