"""Columns that hold the same on SQLite and on PostgreSQL: exact money, canonical JSON."""

from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, Dialect, Integer, MetaData, Numeric, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from chandler.core.hashing import canonical
from chandler.core.trading.money import shown


class Money(TypeDecorator[Decimal]):
    """A Decimal to its last digit: NUMERIC without a limit; in SQLite, which has none, text."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Numeric(asdecimal=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        assert value.is_finite(), f"money is {value}"
        text = shown(value)
        return Decimal(text) if dialect.name == "postgresql" else text

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(shown(Decimal(value)))


class Json(TypeDecorator[Any]):
    """Lists and dicts as canonical JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)


METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def text(name: str, *more: Any, **kind: Any) -> Column[str]:
    """Text, never NULL unless it is said."""
    return Column(name, Text, *more, nullable=kind.pop("nullable", False), **kind)


def ms(name: str, **kind: Any) -> Column[int]:
    """A time, Unix ms."""
    return Column(name, BigInteger, nullable=kind.pop("nullable", False), **kind)


def count(name: str, **kind: Any) -> Column[int]:
    """A small whole number."""
    return Column(name, Integer, nullable=kind.pop("nullable", False), **kind)


def money(name: str, **kind: Any) -> Column[Any]:
    """An exact amount, price or size."""
    return Column(name, Money, nullable=kind.pop("nullable", False), **kind)


def json(name: str, **kind: Any) -> Column[Any]:
    """A list or a dict."""
    return Column(name, Json, nullable=kind.pop("nullable", False), **kind)


def place(*, key: bool = False) -> tuple[Column[int], ...]:
    """Where the event stands; the row's key where the event has none of its own."""
    return (
        Column("kafka_partition", Integer, primary_key=key, autoincrement=False, nullable=False),
        Column("kafka_offset", BigInteger, primary_key=key, autoincrement=False, nullable=False),
        ms("written_ms"),
    )


def who() -> tuple[Column[str], ...]:
    """Whose it is."""
    return (text("account"), text("agent"), text("symbol"))
