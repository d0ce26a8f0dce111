"""What does it trade? Signals that became orders or refusals, fills, positions, PnL, drawdown."""

from typing import get_args

from chandler.core.trading.orders import FaultKind
from grafana.panels import RATE, lines, prom, row, series, sql, stat, table

ANSWERS = (
    "What each agent and engine ordered, what was refused and why, and what came of it. Money is "
    "the quote coin; times are those of the records."
)
FAULTS = ", ".join(f"('{kind}')" for kind in get_args(FaultKind))
PANELS = [
    row("Now"),
    stat(
        "PnL",
        "Earned in the range that is looked at: fills, fees, funding, liquidations.",
        "currencyUSD",
        sql(
            """SELECT coalesce(sum(change), 0) AS pnl FROM balance_changes
            WHERE kind IN ('fill', 'funding', 'liquidation') AND within(written_ms)
            AND among(agent) AND among(symbol)"""
        ),
    ),
    stat(
        "Balance",
        "Of the agents together, without what is open.",
        "currencyUSD",
        sql("SELECT coalesce(sum(balance), 0) AS balance FROM balances WHERE among(agent)"),
    ),
    stat(
        "Unrealised",
        "Of the open positions, at their newest marks.",
        "currencyUSD",
        prom('sum(chandler_positions_unrealised{agent=~"$agent"}) or vector(0)'),
    ),
    stat(
        "Open positions",
        "Of the chosen agents.",
        "none",
        prom('sum(chandler_positions_open{agent=~"$agent"}) or vector(0)'),
    ),
    stat(
        "Unknown orders",
        "Orders of which the venue hasn't said what became of them.",
        "none",
        prom("sum(chandler_executor_unknown_orders) or vector(0)"),
        steps=[(1, "red")],
    ),
    stat(
        "Books that differ",
        "Agents whose books differ from the venue's: they open nothing.",
        "none",
        prom('sum(chandler_executor_books_differ{agent=~"$agent"}) or vector(0)'),
        steps=[(1, "red")],
    ),
    row("Money, from the ledger"),
    lines(
        "PnL by agent",
        "Summed up from the beginning of the range: fills, fees, funding, liquidations.",
        "currencyUSD",
        series(
            """SELECT "time", metric, sum(value) OVER (PARTITION BY metric ORDER BY "time")
            AS value FROM (SELECT slot(written_ms) AS "time", agent AS metric, sum(change) AS value
            FROM balance_changes WHERE kind IN ('fill', 'funding', 'liquidation')
            AND within(written_ms) AND among(agent) AND among(symbol) GROUP BY 1, 2) AS earned
            ORDER BY 1"""
        ),
    ),
    lines(
        "PnL by engine",
        "Of closed round trips by the engine, or other source, that opened them, summed up.",
        "currencyUSD",
        series(
            """SELECT "time", metric, sum(value) OVER (PARTITION BY metric ORDER BY "time")
            AS value FROM (SELECT slot(exit_written_ms) AS "time", source AS metric,
            sum(pnl) AS value FROM trades WHERE closed_ms IS NOT NULL
            AND within(exit_written_ms) AND among(agent) AND among(engine, source)
            AND among(symbol) GROUP BY 1, 2) AS earned ORDER BY 1"""
        ),
    ),
    lines(
        "Drawdown",
        "How far an agent's balance is below its highest, with all of its past.",
        "percentunit",
        series(
            """SELECT slot(written_ms) AS "time", agent AS metric, max(fall) AS value FROM (
            SELECT written_ms, agent, 1 - balance / nullif(max(balance) OVER (
            PARTITION BY agent ORDER BY written_ms, kafka_partition, kafka_offset), 0) AS fall
            FROM balance_changes WHERE among(agent)) AS falls
            WHERE within(written_ms) GROUP BY 1, 2 ORDER BY 1"""
        ),
    ),
    lines(
        "Balance",
        "After each fill, fee and funding, without what is open.",
        "currencyUSD",
        series(
            """SELECT DISTINCT ON (1, 2) slot(written_ms) AS "time", agent AS metric,
            balance AS value
            FROM balance_changes WHERE within(written_ms) AND among(agent)
            ORDER BY 1, 2, written_ms DESC, kafka_offset DESC"""
        ),
    ),
    table(
        "By agent and engine",
        "Round trips that closed in the range.",
        sql(
            """SELECT agent, source AS engine, count(*) AS trades,
            round(100 * avg((pnl > 0)::int), 1) AS "won, %", sum(pnl) AS pnl, sum(fees) AS fees,
            sum(funding) AS funding FROM trades WHERE closed_ms IS NOT NULL
            AND within(exit_written_ms) AND among(agent) AND among(engine, source)
            AND among(symbol) GROUP BY 1, 2 ORDER BY pnl DESC"""
        ),
        width=8,
    ),
    table(
        "Days",
        "By UTC day of the venue's time; fees of what is open are in it.",
        sql(
            """SELECT day, agent, pnl, fees, funding, fills, trades, wins FROM daily_pnl
            WHERE among(agent) ORDER BY day DESC, agent LIMIT 60"""
        ),
        width=8,
    ),
    row("From signal to order"),
    lines(
        "Decisions, intents, fills",
        "Records of the desk's journal, orders that were requested, fills that were booked.",
        "cps",
        prom(f"sum(rate(chandler_executor_decisions_total{RATE}))", "decisions"),
        prom(f"sum(rate(chandler_executor_intents_total{RATE}))", "intents"),
        prom(f"sum(rate(chandler_executor_fills_total{RATE}))", "fills"),
        width=6,
    ),
    lines(
        "Intents by account",
        "Orders that were requested; a paper agent's account has its name.",
        "cps",
        prom(f"sum by (account) (rate(chandler_executor_intents_total{RATE}))", "{{account}}"),
        width=6,
    ),
    lines(
        "Refusals by reason",
        "Orders that were not made.",
        "cps",
        prom(
            f"sum by (reason) (rate(chandler_executor_refusals_total{RATE}))",
            "{{reason}}",
        ),
        stacked=True,
        width=6,
    ),
    lines(
        "Open orders",
        "Intents whose end isn't known yet, by shard, and what was unknown in 15 minutes.",
        "none",
        prom("sum by (shard) (chandler_executor_open_orders)", "shard {{shard}}"),
        prom(
            "sum by (account) (increase(chandler_executor_unknown_total[15m]))",
            "unknown: {{account}}",
        ),
        width=6,
    ),
    table(
        "Refusals by agent",
        "Orders that were not made in the range, from the ledger.",
        sql(
            """SELECT agent, source AS engine, reason, count(*) AS refusals FROM refusals
            WHERE within(written_ms) AND among(agent) AND among(engine, source)
            AND among(symbol) GROUP BY 1, 2, 3 ORDER BY refusals DESC LIMIT 50"""
        ),
        width=8,
    ),
    lines(
        "Orders by state",
        "Orders requested in the range, as they stand now, from the ledger.",
        "none",
        series(
            """SELECT slot(written_ms) AS "time", state AS metric, count(*) AS value FROM orders
            WHERE within(written_ms) AND among(agent) AND among(symbol) GROUP BY 1, 2 ORDER BY 1"""
        ),
        stacked=True,
    ),
    table(
        "Faults in the life of orders",
        "What must not happen to an order, by its name, and the last one of each; there should be "
        "none. What the venue closes by itself (a stop that it held) is none.",
        sql(
            f"""SELECT known.fault, count(e.order_id) AS events,
            max(to_timestamp(e.written_ms / 1000.0)) AS last,
            (array_agg(o.agent || ' ' || o.symbol || ' ' || e.order_id || ': ' || e.detail
              ORDER BY e.written_ms DESC))[1] AS "last order"
            FROM (VALUES {FAULTS}) AS known (fault)
            LEFT JOIN (order_events e JOIN orders o ON o.id = e.order_id)
              ON e.fault = known.fault AND within(e.written_ms) AND among(agent, o.agent)
              AND NOT (e.fault = 'not_requested' AND e.type = 'OrderFilled' AND o.action = 'close')
            GROUP BY known.fault ORDER BY events DESC, known.fault"""  # noqa: S608 - the names are core's
        ),
        width=8,
    ),
    row("Positions"),
    lines(
        "Open positions",
        "By agent.",
        "none",
        prom('sum by (agent) (chandler_positions_open{agent=~"$agent"})', "{{agent}}"),
    ),
    lines(
        "Unrealised",
        "Of open positions, by agent.",
        "currencyUSD",
        prom('sum by (agent) (chandler_positions_unrealised{agent=~"$agent"})', "{{agent}}"),
    ),
    lines(
        "Exits and ends",
        "Exits that were asked for, by kind, and positions that ended, by reason.",
        "cps",
        prom(f"sum by (kind) (rate(chandler_positions_exits_total{RATE}))", "asked: {{kind}}"),
        prom(
            f"sum by (reason) (rate(chandler_positions_closed_total{RATE}))",
            "ended: {{reason}}",
        ),
    ),
    table(
        "Open now",
        "Open positions at their newest marks, from the ledger.",
        sql(
            """SELECT agent, symbol, side, source AS engine, size, leverage, mark, unrealised,
            stop, to_timestamp(marked_ms / 1000.0) AS marked FROM positions
            WHERE state = 'open' AND among(agent) AND among(symbol) ORDER BY unrealised"""
        ),
    ),
    table(
        "Newest round trips",
        "Closed in the range, newest first, from the ledger.",
        sql(
            """SELECT to_timestamp(exit_written_ms / 1000.0) AS "time", agent, symbol, side,
            source AS engine, entry_price, exit_price, pnl, reason FROM trades
            WHERE closed_ms IS NOT NULL AND within(exit_written_ms) AND among(agent)
            AND among(engine, source) AND among(symbol)
            ORDER BY exit_written_ms DESC LIMIT 50"""
        ),
    ),
]
