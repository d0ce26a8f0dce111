"""The tables of the ledger, in the field's words; times are Unix ms, money is exact.

Each row comes from one topic (a command's also from its answer), so that no order between topics
matters. `kafka_partition`, `kafka_offset` and `written_ms` (Kafka's CreateTime) say where the
event stands in its topic.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)

from services.ledger.columns import METADATA as METADATA
from services.ledger.columns import count, json, money, ms, place, text, who

signals = Table(
    "signals",
    METADATA,
    text("topic", primary_key=True),  # signals, signals.external
    text("id", primary_key=True),
    text("symbol"),
    text("side"),
    Column("strength", Float(53), nullable=False),
    text("source"),
    text("granularity"),
    ms("close_ms"),
    ms("expires_ms"),
    Column("stop", Float(53)),
    json("targets"),
    text("reason"),
    json("agents"),
    json("notes"),
    json("inputs"),
    text("config"),
    text("code"),
    *place(),
    Index("ix_signals_symbol_close_ms", "symbol", "close_ms"),
)

orders = Table(
    "orders",
    METADATA,
    text("id", primary_key=True),
    *who(),
    text("state"),  # chandler.core.trading.orders; not_requested: it is the venue's own
    count("shard", nullable=True),
    ms("seq", nullable=True),  # of the desk record that explains it
    text("position", nullable=True),
    text("leg", nullable=True),
    text("action", nullable=True),
    text("side", nullable=True),
    money("size", nullable=True),
    count("leverage", nullable=True),
    money("price", nullable=True),  # at which it was decided
    money("stop", nullable=True),
    json("targets", nullable=True),
    text("cause", nullable=True),  # id of the signal, exit or command
    text("source", nullable=True),
    text("reason", nullable=True),
    text("venue_id"),
    money("filled"),  # Σ size of its fills
    money("notional"),  # Σ price × size of its fills
    money("fees"),
    money("cancelled_at", nullable=True),  # filled size that the cancellation tells
    text("code"),  # the venue's, of a refusal
    text("told"),  # the reason of a cancellation, refusal or unknown
    ms("requested_ms", nullable=True),
    ms("ready_ms", nullable=True),
    ms("signed_ms", nullable=True),  # live: wall time that was signed
    ms("sent_ms"),  # 0: not yet
    ms("changed_ms"),
    count("events"),
    *place(),  # of its first event: the request
    Index("ix_orders_agent_changed_ms", "agent", "changed_ms"),
    Index("ix_orders_cause", "cause"),
    Index("ix_orders_position", "position"),
)

order_events = Table(
    "order_events",
    METADATA,
    *place(key=True),
    text("order_id", ForeignKey(orders.c.id)),
    text("type"),
    text("state"),  # of the order, afterwards
    text("fault"),  # what must not happen, by its name; empty: it is as it should be
    text("detail"),
    ms("at"),
    Index("ix_order_events_order_id", "order_id"),
)

trades = Table(
    "trades",
    METADATA,
    text("id", primary_key=True),  # the position's; ~2 where it was opened again
    text("position"),
    *who(),
    text("side"),
    text("source"),  # engine, external, person: of the entry
    text("cause"),  # id of the signal or command that opened it
    count("leverage"),
    money("size"),  # open now, base coin; 0 once it is closed
    money("cost"),  # of what is open
    money("size_max"),  # the most that was open
    money("entry_size"),  # Σ of what was opened
    money("entry_notional"),
    money("entry_price"),  # shown, never computed with
    money("exit_size"),
    money("exit_notional"),
    money("exit_price"),
    money("realised"),  # price differences alone
    money("fees"),
    money("funding"),
    money("pnl"),  # realised - fees - funding
    money("stop", nullable=True),
    json("targets"),
    json("legs"),  # of its fills, in order, each once
    text("reason"),  # of the last exit: its kind, opposite, person, liquidated; empty: open
    count("fills"),
    text("entry_order"),
    text("exit_order"),
    ms("opened_ms"),
    ms("changed_ms"),
    ms("closed_ms", nullable=True),  # NULL: open
    ms("duration_ms", nullable=True),
    ms("funded_ms"),
    *place(),  # of the first fill
    ms("exit_written_ms"),  # of the last one
    Index("ix_trades_agent_closed_ms", "agent", "closed_ms"),
    Index("ix_trades_closed_ms", "closed_ms"),
    Index("ix_trades_agent_symbol_closed_ms", "agent", "symbol", "closed_ms"),
    Index("ix_trades_entry_order", "entry_order"),
    Index("ix_trades_exit_order", "exit_order"),
)

fills = Table(
    "fills",
    METADATA,
    *place(key=True),
    text("order_id", ForeignKey(orders.c.id), nullable=True),  # NULL: the venue liquidated
    text("trade"),  # the venue's id of the fill
    text("trade_id", ForeignKey(trades.c.id)),  # the round trip
    *who(),
    text("position"),
    text("leg"),
    text("action"),
    text("side"),  # of the position
    money("price"),
    money("size"),
    money("fee"),
    money("realised"),  # by this fill
    Column("done", Boolean, nullable=False),
    text("source"),
    text("fault"),  # of the order's life; the money counts all the same
    ms("at"),
    UniqueConstraint("order_id", "trade"),
    Index("ix_fills_trade_id", "trade_id"),
    Index("ix_fills_agent_at", "agent", "at"),
)

funding = Table(
    "funding",
    METADATA,
    *place(key=True),
    text("trade_id", ForeignKey(trades.c.id), nullable=True),
    *who(),
    text("position"),
    money("rate"),
    money("mark"),
    money("size"),
    money("amount"),  # paid is positive
    ms("settled_ms"),
    ms("at"),
    Index("ix_funding_trade_id", "trade_id"),
)

positions = Table(
    "positions",
    METADATA,
    text("id", primary_key=True),
    *who(),
    text("state"),  # open, closed
    text("side"),
    money("size"),
    money("cost"),
    count("leverage"),
    money("stop", nullable=True),
    json("targets"),
    count("adds"),
    text("source"),
    money("mark"),
    money("peak"),
    money("unrealised"),
    money("realised"),
    money("fees"),
    money("funding"),
    text("reason"),  # of the end; empty: open
    money("exit_notional", nullable=True),
    ms("opened_ms"),
    ms("changed_ms"),
    ms("marked_ms"),
    ms("closed_ms", nullable=True),
    *place(),  # of the newest event that is in the row
    Index("ix_positions_agent_state", "agent", "state"),
)

daily_pnl = Table(
    "daily_pnl",
    METADATA,
    text("agent", primary_key=True),
    text("day", primary_key=True),  # UTC, 2024-01-31
    money("realised"),
    money("fees"),
    money("funding"),
    money("pnl"),  # realised - fees - funding, of the fills
    money("balance_change"),  # what the executor's books say, by their own time
    count("fills"),
    count("trades"),  # closed on that day
    count("wins"),
)

balances = Table(
    "balances",
    METADATA,
    text("agent", primary_key=True),
    text("account"),
    money("start"),
    money("transfers"),
    money("earned"),  # Σ of fills, funding and liquidations
    money("balance"),
    count("changes"),
    ms("changed_ms"),
)

balance_changes = Table(
    "balance_changes",
    METADATA,
    *place(key=True),
    *who(),
    text("kind"),
    money("change"),
    money("balance"),
    text("cause"),
    ms("at"),
    Index("ix_balance_changes_agent_at", "agent", "at"),
)

refusals = Table(
    "refusals",
    METADATA,
    *place(key=True),
    *who(),
    text("side"),
    text("cause"),
    text("source"),
    text("reason"),
    text("detail"),
    ms("seq"),
    ms("at"),
    Index("ix_refusals_agent_at", "agent", "at"),
    Index("ix_refusals_cause", "cause"),
)

exits = Table(
    "exits",
    METADATA,
    text("id", primary_key=True),
    text("position"),
    *who(),
    text("side"),
    text("kind"),
    text("leg"),
    text("action"),
    money("size", nullable=True),  # NULL: all that is open
    money("price"),
    text("reason"),
    ms("at"),
    ms("due_ms"),
    *place(),
    Index("ix_exits_position", "position"),
)

pumps = Table(
    "pumps",
    METADATA,
    *place(key=True),
    text("symbol"),
    text("kind"),  # started, ended
    text("pump"),
    Column("both", Boolean, nullable=False),
    ms("since_ms"),
    Column("change", Float(53), nullable=False),
    Column("volume_ratio", Float(53), nullable=False),
    ms("at"),
    Index("ix_pumps_symbol_at", "symbol", "at"),
)

commands = Table(
    "commands",
    METADATA,
    text("id", primary_key=True),
    text("who", nullable=True),  # NULL: only its answer has come
    text("what", nullable=True),
    text("agent", nullable=True),
    text("symbol", nullable=True),
    text("side", nullable=True),
    Column("switch", Boolean),
    text("source", nullable=True),
    ms("at", nullable=True),
    text("outcome", nullable=True),  # of its newest answer; NULL: none yet
    text("detail", nullable=True),
    text("answered_by", nullable=True),
    ms("answered_ms", nullable=True),
    count("answers"),
)

notices = Table(
    "notices",
    METADATA,
    text("id", primary_key=True),
    text("level"),
    text("agent"),
    text("text"),
    ms("at"),
    *place(),
    Index("ix_notices_at", "at"),
)

infra_events = Table(
    "infra_events",
    METADATA,
    *place(key=True),
    text("service"),
    text("instance"),
    text("kind"),
    text("detail"),
    ms("at"),  # wall time
    Index("ix_infra_events_service_at", "service", "at"),
)

ledger_offsets = Table(
    "ledger_offsets",
    METADATA,
    text("topic", primary_key=True),
    Column("kafka_partition", Integer, primary_key=True, autoincrement=False),
    Column("next_offset", BigInteger, nullable=False),
)

ledger_origin = Table(
    "ledger_origin",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: there is one row
    text("origin"),  # cluster id and topic prefix that the offsets belong to; empty: none yet
    count("rebuilt"),  # how often; who has rows in memory reads them again
)

# Which topics fill which tables; a rebuild drops and folds them together.
FILLED_BY: dict[tuple[str, ...], tuple[Table, ...]] = {
    ("signals", "signals.external"): (signals,),
    ("orders",): (
        orders,
        order_events,
        trades,
        fills,
        funding,
        daily_pnl,
        balances,
        balance_changes,
        refusals,
    ),
    ("positions",): (positions,),
    ("exits",): (exits,),
    ("pumps",): (pumps,),
    ("commands", "answers"): (commands,),
    ("notices",): (notices,),
    ("infra",): (infra_events,),
}
TOPICS: tuple[str, ...] = tuple(topic for topics in FILLED_BY for topic in topics)
DERIVED: tuple[Table, ...] = tuple(table for tables in FILLED_BY.values() for table in tables)
