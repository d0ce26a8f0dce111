// Two backtests beside each other.
const data = JSON.parse(document.getElementById("data").textContent);
const { comparison, runs, counts } = data;
const LABELS = {
  "performance.total_return": "Return", "performance.cagr": "A year (CAGR)", "performance.volatility": "Volatility, a year", "performance.drawdown.depth": "Drawdown, daily closes",
  "performance.drawdown_within.depth": "Drawdown, within days", "performance.sharpe": "Sharpe", "performance.sortino": "Sortino", "performance.calmar": "Calmar (by daily closes)", "performance.end": "Equity at the end",
  "trades.trades": "Trades", "trades.pnl": "PnL of trades", "trades.win_rate": "Win rate", "trades.profit_factor": "Profit factor", "trades.average": "Average trade", "trades.average_win": "Average win",
  "trades.average_loss": "Average loss", "trades.losing_streak": "Most losses in a row", "trades.holding_ms": "Average time held", "trades.fees": "Fees in all", "trades.funding": "Funding in all", "trades.turnover": "Turnover",
  "trades.time_open": "Time with something open", "trades.open_trades": "Still open", "trades.open_pnl": "Booked of what is open", "exposure.mean": "Exposure, mean", "exposure.greatest": "Exposure, greatest",
};
const KINDS = { share: show.share, ratio: show.ratio, money: show.money, count: show.count, lasting: show.lasting };
const isSame = (line) => line.first === line.second || Number(line.difference) === 0 && isThere(line.difference);

function heading() {
  document.title = `${comparison.first} and ${comparison.second}`;
  const chip = (same, what) => make("span", { class: "chip" }, `${same ? "✓ same" : "≠ other"} ${what}`);
  document.getElementById("top").append(
    make("div", { class: "head" }, make("div", {}, make("h1", {}, "Two backtests"), make("p", { class: "quiet wrap" }, `${comparison.first} and ${comparison.second}`)), tools()),
    make("div", { class: "chips" }, chip(comparison.same_digest, "digest: fills and balances"), chip(comparison.same_candles, "candles and period"), chip(comparison.same_config, "configuration"), chip(comparison.same_code, "code")));
}

function figures() {
  const line = (each) => make("tr", {}, make("th", { class: "stay", scope: "row" }, LABELS[each.name] || each.name), make("td", { class: "number" }, KINDS[each.kind](each.first)), make("td", { class: "number" }, KINDS[each.kind](each.second)),
    make("td", { class: "number" }, isSame(each) ? make("span", { class: "quiet" }, "same") : isThere(each.difference) ? (Number(each.difference) > 0 ? "+" : "") + KINDS[each.kind](each.difference) : NONE));
  const body = make("tbody");
  const only = make("input", { type: "checkbox", onchange: () => render() });
  const render = () => body.replaceChildren(...comparison.figures.filter((each) => !only.checked || !isSame(each)).map(line));
  render();
  const head = make("tr", {}, make("th", { class: "stay" }, ""), [comparison.first, comparison.second, "difference"].map((each) => make("th", { class: "number", scope: "col" }, each)));
  return section("figures", "Figures", "Of the portfolio: the sum of all agents. The difference is the second less the first.", make("div", { class: "controls" }, make("label", {}, only, "only what differs")), scrolling("Figures of both", make("table", {}, make("thead", {}, head), body)));
}

const pnl = (trade) => Number(trade.realised) - Number(trade.fees) - Number(trade.funding);
const reason = (trade) => trade.reason || (trade.closed_ms ? "" : "still open");
const plain = (label, value) => ({ label, value, cell: value, class: "name" });
const money = (label, value) => ({ label, value, cell: (row) => toned(value(row), show.signed(value(row))), number: true });
const who = (of) => [
  { label: "Opened (UTC)", value: (row) => of(row).opened_ms, cell: (row) => moment(of(row).opened_ms), class: "nowrap" },
  plain("Symbol", (row) => of(row).symbol), plain("Side", (row) => of(row).side), plain("Agent", (row) => of(row).agent), plain("Engine", (row) => of(row).source),
];

function alone(id, name, rows, count) {
  const more = count > rows.length ? `The first ${show.count(rows.length)} of ${show.count(count)}.` : null;
  return section(id, `Only in ${name}: ${show.count(count)}`, more, rows.length ? table(`Trades only in ${name}`, [...who((row) => row), money("PnL", pnl), plain("Exit reason", reason)], rows, { by: 0, down: false, size: 25 }).element : empty("Every trade of this run was made in the other, too."));
}

function differing() {
  const rows = comparison.differing;
  const columns = [...who((row) => row.first), money("PnL, first", (row) => pnl(row.first)), money("PnL, second", (row) => pnl(row.second)), money("difference", (row) => pnl(row.second) - pnl(row.first)),
    plain("Exit, first", (row) => reason(row.first)), plain("Exit, second", (row) => reason(row.second))];
  const hint = `${show.count(counts.equal)} trades are the same in both.` + (counts.differing > rows.length ? ` The first ${show.count(rows.length)} are listed.` : "");
  return section("differing", `In both, with another end: ${show.count(counts.differing)}`, hint, rows.length ? table("Trades that ended otherwise", columns, rows, { by: 7, size: 25 }).element : empty("What both traded ended the same."));
}

function origins() {
  const row = (name, value) => make("tr", {}, make("th", { class: "stay", scope: "row" }, name), runs.map((run) => make("td", { class: "wrap" }, value(run))));
  const o = (key) => (run) => String(run.origin[key]);
  return section("origin", "Origin", null, scrolling("Origin of both", make("table", {}, make("thead", {}, make("tr", {}, make("th", { class: "stay" }, ""), runs.map((run) => make("th", { scope: "col" }, run.name)))), make("tbody", {},
    row("Profile", o("profile")), row("Period (UTC)", (run) => `${moment(run.from_ms)} to ${moment(run.to_ms)}`), row("Read from", o("source")), row("Candles", (run) => show.count(run.origin.candles)), row("Prices", (run) => show.count(run.origin.ticks)),
    row("Digest", o("digest")), row("Configuration", o("config")), row("Code", o("code"))))));
}

heading();
document.getElementById("main").append(section("equity", "Equity and drawdown", "Growth of both portfolios since their starts.", lines(data.curves, "equity")), figures(), alone("first", comparison.first, comparison.only_first, counts.only_first), alone("second", comparison.second, comparison.only_second, counts.only_second), differing(), origins());
