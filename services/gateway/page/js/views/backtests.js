// Backtests: the list, one report, and several compared.
import { curves, swatch } from "../parts/charts.js";
import { empty, failed, link, loading, make, panel, segments } from "../parts/elements.js";
import {
  count,
  day,
  duration,
  gain,
  money,
  number,
  percent,
  plain,
  share,
  shortMoment,
  tone,
} from "../parts/format.js";
import { stream } from "../data/live.js";
import { get } from "../data/rest.js";
import { paged, table } from "../parts/table.js";

const COMPARED_MAX = 6;
const PARTS = ["engine", "symbol", "month", "reason", "side"];

import { compared, FIGURES, performance, returns } from "../shown/comparison.js";

export const title = (run) => run || "Backtests";

export function show(root, { argument, go, signal: left }) {
  stream.watch({});
  return argument ? report(root, argument, left) : list(root, go, left);
}

function list(root, go, left) {
  const picked = new Set();
  const body = make("section", { class: "panel", "aria-label": "Backtests" }, loading());
  const below = make("div", {});
  const compare = make(
    "button",
    { type: "button", disabled: true, onclick: () => compared([...picked], below, left) },
    "Compare",
  );
  const rows = table(
    "Backtests",
    [
      {
        label: "",
        cell: (row) =>
          make("input", {
            type: "checkbox",
            "aria-label": `Compare ${row.id}`,
            checked: picked.has(row.id),
            onchange: (event) => pick(event, row),
          }),
        mark: (row) => row.id,
      },
      {
        label: "Run",
        value: (row) => row.id,
        cell: (row) =>
          link(`/backtests/${encodeURIComponent(row.id)}`, { class: "strong" }, row.id),
        mark: (row) => row.id,
      },
      {
        label: "Made",
        spare: true,
        value: (row) => row.made_ms,
        cell: (row) => shortMoment(row.made_ms),
      },
      { label: "Profile", spare: true, value: (row) => row.profile, cell: (row) => row.profile },
      { label: "Period", spare: true, cell: (row) => `${day(row.from_ms)} – ${day(row.to_ms)}` },
      { label: "Agents", spare: true, cell: (row) => row.agents.join(", ") },
      {
        label: "Trades",
        number: true,
        value: (row) => row.trades,
        cell: (row) => count(row.trades),
      },
      {
        label: "Return",
        number: true,
        name: "strong",
        value: (row) => row.total_return,
        cell: (row) => share(row.total_return),
        tone: (row) => tone(row.total_return),
      },
      {
        label: "Drawdown",
        number: true,
        value: (row) => row.drawdown,
        cell: (row) => share(row.drawdown),
      },
      {
        label: "Sharpe",
        number: true,
        value: (row) => row.sharpe,
        cell: (row) => plain(row.sharpe, 2),
      },
      {
        label: "Profit factor",
        number: true,
        spare: true,
        value: (row) => row.profit_factor,
        cell: (row) => plain(row.profit_factor, 2),
      },
      {
        label: "Won",
        number: true,
        spare: true,
        value: (row) => row.win_rate,
        cell: (row) => percent(row.win_rate),
      },
    ],
    {
      open: (row) => go(`/backtests/${encodeURIComponent(row.id)}`),
      opens: "Run",
      none: ["No backtest yet", "./chandler backtest writes one; it stands here when it is done."],
    },
  );
  function pick(event, row) {
    if (event.target.checked) picked.add(row.id);
    else picked.delete(row.id);
    compare.disabled = picked.size < 2 || picked.size > COMPARED_MAX;
    compare.textContent = picked.size > 1 ? `Compare ${picked.size}` : "Compare";
  }
  root.append(
    make(
      "div",
      { class: "headline" },
      make("h1", {}, "Backtests"),
      make(
        "span",
        { class: "push row" },
        make("span", { class: "quiet small" }, `tick 2 to ${COMPARED_MAX}`),
        compare,
      ),
    ),
    make("div", { class: "report" }, below, body),
  );
  const pages = paged((after) => get("/backtests", { limit: 100, after }, left), rows.set);
  async function load() {
    try {
      await pages.restart();
      body.replaceChildren(rows.element, make("div", { class: "inside row" }, pages.button));
    } catch (error) {
      if (!left.aborted) body.replaceChildren(failed(error, load));
    }
  }
  load();
  return {
    leave() {
      below.firstChild?.ended?.();
    },
  };
}

function report(root, id, left) {
  const body = make("div", { class: "report" }, loading());
  const offs = [];
  root.append(
    make(
      "div",
      { class: "headline" },
      link("/backtests", {}, "Backtests"),
      make("h1", { class: "wrap" }, id),
    ),
    body,
  );
  async function load() {
    body.replaceChildren(loading());
    try {
      drawn(await get(`/backtests/${encodeURIComponent(id)}`, {}, left));
    } catch (error) {
      if (!left.aborted)
        body.replaceChildren(
          error.status === 404 ? empty("There is no such run", error.detail) : failed(error, load),
        );
    }
  }
  function drawn(run) {
    const curve = make("div", { class: "curve" });
    const parts = make("div", {});
    const months = Object.entries(performance(run).months ?? {});
    body.replaceChildren(
      panel(
        "Figures",
        {
          more: make(
            "span",
            { class: "quiet" },
            `${day(run.from_ms)} to ${day(run.to_ms)}, ${count(run.candles)} candles, profile ${run.profile || "–"}`,
          ),
        },
        make(
          "dl",
          { class: "figures" },
          FIGURES.map(([name, of, shown]) =>
            make(
              "div",
              {},
              make("dt", {}, name),
              make(
                "dd",
                { class: ["Return", "PnL"].includes(name) ? tone(of(run)) : "" },
                shown(of(run)),
              ),
            ),
          ),
        ),
      ),
      run.notes.length > 0 &&
        panel(
          "Remarks",
          {},
          make(
            "div",
            { class: "inside" },
            run.notes.map((each) => make("p", {}, each)),
          ),
        ),
      panel(
        "Return",
        {
          more: run.curves.map((each, at) =>
            make(
              "span",
              { class: "small" },
              make("span", { class: `swatch ${swatch(at)}` }),
              " ",
              each.name,
            ),
          ),
        },
        run.curves.length
          ? curve
          : empty(
              "No curve",
              "This run was written before runs kept their curves; its report.html has it.",
            ),
      ),
      panel(
        "By",
        {
          more: segments(
            "By",
            PARTS.map((each) => [each, each]),
            "engine",
            (part) => breakdown(parts, run, part),
          ).element,
        },
        parts,
      ),
      months.length > 0 &&
        panel(
          "Months",
          {},
          make(
            "dl",
            { class: "figures" },
            months.map(([month, value]) =>
              make(
                "div",
                {},
                make("dt", {}, month),
                make("dd", { class: tone(value) }, share(value)),
              ),
            ),
          ),
        ),
      panel(
        "Why not",
        { more: make("span", { class: "quiet" }, "refusals by agent and reason") },
        refused(run),
      ),
    );
    breakdown(parts, run, "engine");
    if (run.curves.length) {
      const chart = curves(curve, { label: "Return", format: (value) => percent(value, 1) });
      chart.set(
        run.curves.map((each, at) => ({
          name: each.name,
          at,
          points: returns(each),
          dashed: each.kind === "benchmark",
        })),
      );
      offs.push(chart.end);
    }
  }
  load();
  return {
    leave() {
      offs.forEach((off) => off());
    },
  };
}

function breakdown(box, run, part) {
  const rows = table(
    `By ${part}`,
    [
      { label: part, value: (row) => row.name, cell: (row) => row.name, name: "strong" },
      {
        label: "Trades",
        number: true,
        value: (row) => row.trades,
        cell: (row) => count(row.trades),
      },
      {
        label: "PnL",
        number: true,
        value: (row) => number(row.pnl),
        cell: (row) => gain(row.pnl),
        tone: (row) => tone(row.pnl),
      },
      {
        label: "Won",
        number: true,
        value: (row) => row.win_rate,
        cell: (row) => percent(row.win_rate),
      },
      {
        label: "Profit factor",
        number: true,
        spare: true,
        value: (row) => row.profit_factor,
        cell: (row) => plain(row.profit_factor, 2),
      },
      {
        label: "Average",
        number: true,
        spare: true,
        value: (row) => row.average,
        cell: (row) => gain(row.average),
      },
      {
        label: "Held",
        number: true,
        spare: true,
        value: (row) => row.holding_ms,
        cell: (row) => duration(row.holding_ms),
      },
      { label: "Fees", number: true, spare: true, cell: (row) => money(row.fees) },
    ],
    {
      key: (row) => row.name,
      by: part === "month" ? 0 : 2,
      down: part !== "month",
      none: ["Nothing was traded", ""],
    },
  );
  rows.set(
    Object.entries(run.metrics.breakdowns?.[part] ?? {}).map(([name, each]) => ({ name, ...each })),
  );
  box.replaceChildren(rows.element);
}

function refused(run) {
  const rows = Object.entries(run.refusals).flatMap(([agent, reasons]) =>
    Object.entries(reasons).map(([reason, times]) => ({
      id: `${agent}|${reason}`,
      agent,
      reason,
      times,
    })),
  );
  const list = table(
    "Refusals",
    [
      { label: "Agent", value: (row) => row.agent, cell: (row) => row.agent },
      {
        label: "Reason",
        value: (row) => row.reason,
        cell: (row) => row.reason.replaceAll("_", " "),
      },
      { label: "Times", number: true, value: (row) => row.times, cell: (row) => count(row.times) },
    ],
    { by: 2, none: ["Nothing was refused", ""] },
  );
  list.set(rows);
  return list.element;
}
