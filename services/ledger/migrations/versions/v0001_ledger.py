"""The first schema: signals, orders, trades, positions, money, commands, notices, infra."""

from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic import op

from services.ledger.columns import Json, Money

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_INDEXES = (
    (
        "ix_orders_agent_changed_ms",
        "orders",
        (
            "agent",
            "changed_ms",
        ),
    ),
    ("ix_orders_cause", "orders", ("cause",)),
    ("ix_orders_position", "orders", ("position",)),
    ("ix_order_events_order_id", "order_events", ("order_id",)),
    (
        "ix_trades_agent_closed_ms",
        "trades",
        (
            "agent",
            "closed_ms",
        ),
    ),
    (
        "ix_trades_agent_symbol_closed_ms",
        "trades",
        (
            "agent",
            "symbol",
            "closed_ms",
        ),
    ),
    ("ix_trades_closed_ms", "trades", ("closed_ms",)),
    ("ix_trades_entry_order", "trades", ("entry_order",)),
    ("ix_trades_exit_order", "trades", ("exit_order",)),
    (
        "ix_fills_agent_at",
        "fills",
        (
            "agent",
            "at",
        ),
    ),
    ("ix_fills_trade_id", "fills", ("trade_id",)),
    ("ix_funding_trade_id", "funding", ("trade_id",)),
    (
        "ix_balance_changes_agent_at",
        "balance_changes",
        (
            "agent",
            "at",
        ),
    ),
    (
        "ix_signals_symbol_close_ms",
        "signals",
        (
            "symbol",
            "close_ms",
        ),
    ),
    (
        "ix_refusals_agent_at",
        "refusals",
        (
            "agent",
            "at",
        ),
    ),
    ("ix_refusals_cause", "refusals", ("cause",)),
    (
        "ix_positions_agent_state",
        "positions",
        (
            "agent",
            "state",
        ),
    ),
    ("ix_exits_position", "exits", ("position",)),
    (
        "ix_pumps_symbol_at",
        "pumps",
        (
            "symbol",
            "at",
        ),
    ),
    ("ix_notices_at", "notices", ("at",)),
    (
        "ix_infra_events_service_at",
        "infra_events",
        (
            "service",
            "at",
        ),
    ),
)


def _columns(kind: Any, *names: str, null: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=null) for name in names]


_text = partial(_columns, sa.Text())
_ms = partial(_columns, sa.BigInteger())
_count = partial(_columns, sa.Integer())
_flag = partial(_columns, sa.Boolean())
_float = partial(_columns, sa.Float(53))
_money = partial(_columns, Money())
_json = partial(_columns, Json())


def _key(table: str, *names: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*names, name=f"pk_{table}")


def upgrade() -> None:
    _orders()
    _trades()
    _fills()
    _balances()
    _signals()
    _positions()
    _others()
    _ledger()
    for name, table, columns in _INDEXES:
        op.create_index(name, table, list(columns))


def downgrade() -> None:
    raise NotImplementedError("the first schema: remove the ledger instead")


def _orders() -> None:
    op.create_table(
        "orders",
        *_text("id", "account", "agent", "symbol", "state"),
        *_count("shard", null=True),
        *_ms("seq", null=True),
        *_text("position", "leg", "action", "side", null=True),
        *_money("size", null=True),
        *_count("leverage", null=True),
        *_money("price", "stop", null=True),
        *_json("targets", null=True),
        *_text("cause", "source", "reason", null=True),
        *_text("venue_id"),
        *_money("filled", "notional", "fees"),
        *_money("cancelled_at", null=True),
        *_text("code", "told"),
        *_ms("requested_ms", "ready_ms", "signed_ms", null=True),
        *_ms("sent_ms", "changed_ms"),
        *_count("events", "kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        _key("orders", "id"),
    )
    op.create_table(
        "order_events",
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        *_text("order_id", "type", "state", "fault", "detail"),
        *_ms("at"),
        _key("order_events", "kafka_partition", "kafka_offset"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_order_events_order_id"),
    )


def _trades() -> None:
    op.create_table(
        "trades",
        *_text("id", "position", "account", "agent", "symbol", "side", "source", "cause"),
        *_count("leverage"),
        *_money(
            "size",
            "cost",
            "size_max",
            "entry_size",
            "entry_notional",
            "entry_price",
            "exit_size",
            "exit_notional",
            "exit_price",
            "realised",
            "fees",
            "funding",
            "pnl",
        ),
        *_money("stop", null=True),
        *_json("targets", "legs"),
        *_text("reason"),
        *_count("fills"),
        *_text("entry_order", "exit_order"),
        *_ms("opened_ms", "changed_ms"),
        *_ms("closed_ms", "duration_ms", null=True),
        *_ms("funded_ms"),
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms", "exit_written_ms"),
        _key("trades", "id"),
    )


def _fills() -> None:
    op.create_table(
        "fills",
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        *_text("order_id", null=True),
        *_text(
            "trade", "trade_id", "account", "agent", "symbol", "position", "leg", "action", "side"
        ),
        *_money("price", "size", "fee", "realised"),
        *_flag("done"),
        *_text("source", "fault"),
        *_ms("at"),
        _key("fills", "kafka_partition", "kafka_offset"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="fk_fills_order_id"),
        sa.ForeignKeyConstraint(["trade_id"], ["trades.id"], name="fk_fills_trade_id"),
        sa.UniqueConstraint("order_id", "trade", name="uq_fills_order_id_trade"),
    )
    op.create_table(
        "funding",
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        *_text("trade_id", null=True),
        *_text("account", "agent", "symbol", "position"),
        *_money("rate", "mark", "size", "amount"),
        *_ms("settled_ms", "at"),
        _key("funding", "kafka_partition", "kafka_offset"),
        sa.ForeignKeyConstraint(["trade_id"], ["trades.id"], name="fk_funding_trade_id"),
    )


def _balances() -> None:
    op.create_table(
        "daily_pnl",
        *_text("agent", "day"),
        *_money("realised", "fees", "funding", "pnl", "balance_change"),
        *_count("fills", "trades", "wins"),
        _key("daily_pnl", "agent", "day"),
    )
    op.create_table(
        "balances",
        *_text("agent", "account"),
        *_money("start", "transfers", "earned", "balance"),
        *_count("changes"),
        *_ms("changed_ms"),
        _key("balances", "agent"),
    )
    op.create_table(
        "balance_changes",
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        *_text("account", "agent", "symbol", "kind"),
        *_money("change", "balance"),
        *_text("cause"),
        *_ms("at"),
        _key("balance_changes", "kafka_partition", "kafka_offset"),
    )


def _signals() -> None:
    op.create_table(
        "signals",
        *_text("topic", "id", "symbol", "side"),
        *_float("strength"),
        *_text("source", "granularity"),
        *_ms("close_ms", "expires_ms"),
        *_float("stop", null=True),
        *_json("targets"),
        *_text("reason"),
        *_json("agents", "notes", "inputs"),
        *_text("config", "code"),
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        _key("signals", "topic", "id"),
    )
    op.create_table(
        "refusals",
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        *_text("account", "agent", "symbol", "side", "cause", "source", "reason", "detail"),
        *_ms("seq", "at"),
        _key("refusals", "kafka_partition", "kafka_offset"),
    )


def _positions() -> None:
    op.create_table(
        "positions",
        *_text("id", "account", "agent", "symbol", "state", "side"),
        *_money("size", "cost"),
        *_count("leverage"),
        *_money("stop", null=True),
        *_json("targets"),
        *_count("adds"),
        *_text("source"),
        *_money("mark", "peak", "unrealised", "realised", "fees", "funding"),
        *_text("reason"),
        *_money("exit_notional", null=True),
        *_ms("opened_ms", "changed_ms", "marked_ms"),
        *_ms("closed_ms", null=True),
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        _key("positions", "id"),
    )


def _others() -> None:
    op.create_table(
        "exits",
        *_text("id", "position", "account", "agent", "symbol", "side", "kind", "leg", "action"),
        *_money("size", null=True),
        *_money("price"),
        *_text("reason"),
        *_ms("at", "due_ms"),
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        _key("exits", "id"),
    )
    op.create_table(
        "pumps",
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        *_text("symbol", "kind", "pump"),
        *_flag("both"),
        *_ms("since_ms"),
        *_float("change", "volume_ratio"),
        *_ms("at"),
        _key("pumps", "kafka_partition", "kafka_offset"),
    )
    op.create_table(
        "commands",
        *_text("id"),
        *_text("who", "what", "agent", "symbol", "side", null=True),
        *_flag("switch", null=True),
        *_text("source", null=True),
        *_ms("at", null=True),
        *_text("outcome", "detail", "answered_by", null=True),
        *_ms("answered_ms", null=True),
        *_count("answers"),
        _key("commands", "id"),
    )
    op.create_table(
        "notices",
        *_text("id", "level", "agent", "text"),
        *_ms("at"),
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        _key("notices", "id"),
    )
    op.create_table(
        "infra_events",
        *_count("kafka_partition"),
        *_ms("kafka_offset", "written_ms"),
        *_text("service", "instance", "kind", "detail"),
        *_ms("at"),
        _key("infra_events", "kafka_partition", "kafka_offset"),
    )


def _ledger() -> None:
    op.create_table(
        "ledger_offsets",
        *_text("topic"),
        *_count("kafka_partition"),
        *_ms("next_offset"),
        _key("ledger_offsets", "topic", "kafka_partition"),
    )
    op.create_table(
        "ledger_origin",
        *_count("id"),
        *_text("origin"),
        *_count("rebuilt"),
        _key("ledger_origin", "id"),
    )
