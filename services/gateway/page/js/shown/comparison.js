// Figures of a backtest, and of several side by side.
import { get } from "../data/rest.js";
import { curves, swatch } from "../parts/charts.js";
import { failed, loading, make, panel } from "../parts/elements.js";
import { count, duration, gain, money, number, percent, plain, share } from "../parts/format.js";

// Figures of several runs side by side, and their curves over one another, as returns.
export async function compared(ids, box, left) {
  box.firstChild?.ended?.();
  box.replaceChildren(make("section", { class: "panel" }, loading()));
  try {
    const runs = await Promise.all(
      ids.map((id) => get(`/backtests/${encodeURIComponent(id)}`, {}, left)),
    );
    const curve = make("div", { class: "curve" });
    const element = panel(
      "Comparison",
      {
        more: make(
          "button",
          {
            type: "button",
            class: "plain push",
            onclick: () => {
              element.ended();
              box.replaceChildren();
            },
          },
          "Close",
        ),
      },
      make(
        "div",
        { class: "inside row" },
        runs.map((run, at) =>
          make("span", {}, make("span", { class: `swatch ${swatch(at)}` }), " ", run.id),
        ),
      ),
      curve,
      make(
        "div",
        { class: "scroll" },
        make(
          "table",
          {},
          make("caption", {}, "Figures side by side"),
          make(
            "thead",
            {},
            make(
              "tr",
              {},
              make("th", { scope: "col" }, "Figure"),
              runs.map((run) => make("th", { scope: "col", class: "number" }, run.id)),
            ),
          ),
          make(
            "tbody",
            {},
            FIGURES.map(([name, of, shown, best]) => {
              const values = runs.map((run) => number(of(run)));
              const known = values.filter((each) => each !== null);
              const top =
                best && known.length > 1 && Math.min(...known) !== Math.max(...known)
                  ? Math.max(...known.map((each) => each * best))
                  : null;
              return make(
                "tr",
                {},
                make("th", { scope: "row" }, name),
                values.map((value) =>
                  make(
                    "td",
                    {
                      class: `number ${value !== null && top === value * (best || 0) ? "strong gain" : ""}`,
                    },
                    shown(value),
                  ),
                ),
              );
            }),
          ),
        ),
      ),
    );
    box.replaceChildren(element);
    const chart = curves(curve, { label: "Returns", format: (value) => percent(value, 1) });
    chart.set(
      runs.map((run, at) => ({
        name: run.id,
        at,
        points: returns(run.curves.find((each) => each.kind === "portfolio")),
      })),
    );
    element.ended = chart.end;
    element.scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (!left.aborted) box.replaceChildren(failed(error, () => compared(ids, box, left)));
  }
}

export const returns = (curve) =>
  curve ? curve.t.map((time_ms, at) => ({ time_ms, value: curve.v[at] / curve.start - 1 })) : [];
export const performance = (run) => run.metrics.portfolio?.performance ?? {};
const traded = (run) => run.metrics.portfolio?.trades ?? {};
// name, of a run, as shown, and whether more (1) or less (-1) is better
export const FIGURES = [
  ["Return", (run) => run.total_return, share, 1],
  ["Return a year", (run) => performance(run).cagr, share, 1],
  ["Volatility", (run) => performance(run).volatility, percent, 0],
  ["Sharpe", (run) => run.sharpe, (value) => plain(value, 2), 1],
  ["Sortino", (run) => run.sortino, (value) => plain(value, 2), 1],
  ["Calmar", (run) => performance(run).calmar, (value) => plain(value, 2), 1],
  ["Drawdown", (run) => run.drawdown, share, 1],
  ["PnL", (run) => run.pnl, gain, 1],
  ["Trades", (run) => run.trades, count, 0],
  ["Won", (run) => run.win_rate, percent, 1],
  ["Profit factor", (run) => run.profit_factor, (value) => plain(value, 2), 1],
  ["PnL of a trade", (run) => traded(run).average, gain, 1],
  ["Held for", (run) => traded(run).holding_ms, duration, 0],
  ["Fees", (run) => traded(run).fees, money, -1],
  ["Turnover", (run) => traded(run).turnover, (value) => plain(value, 1), 0],
  ["Exposure", (run) => run.metrics.portfolio?.exposure?.mean, percent, 0],
];
