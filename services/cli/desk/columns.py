"""How amounts, prices, times and ages are shown in the tables of the desk."""

from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from chandler.core.trading.money import shown

WIDTH = 160  # where it is not a terminal
SIDES = {"long": "green", "short": "red", "flat": "yellow"}


def table(left: tuple[str, ...], right: tuple[str, ...], *last: str) -> Table:
    """A table with words on the left, numbers in the middle, and what may be long at the end."""
    made = Table(box=None, padding=(0, 1))
    for heading in left:
        made.add_column(heading, no_wrap=True)
    for heading in right:
        made.add_column(heading, justify="right", no_wrap=True)
    for heading in last:
        made.add_column(heading, overflow="fold")
    return made


def money(amount: Decimal | None) -> str:
    """Quote coin, two places."""
    return "-" if amount is None else f"{amount:,.2f}"


def signed(amount: Decimal | None) -> Text:
    """Quote coin with its sign, in its colour."""
    if amount is None:
        return Text("-")
    return Text(f"{amount:+,.2f}", style="green" if amount > 0 else "red" if amount < 0 else "")


def exact(amount: Decimal | None) -> str:
    """A price or size as it is."""
    return "-" if amount is None else shown(amount)


def rough(amount: Decimal | None) -> str:
    """An average: eight digits that count."""
    return "-" if amount is None else f"{amount:.8g}"


def side(name: str) -> Text:
    return Text(name, style=SIDES.get(name, ""))


def time_of(at: int) -> str:
    """UTC, to the millisecond."""
    return f"{datetime.fromtimestamp(at / 1_000, UTC):%m-%d %H:%M:%S.%f}"[:-3]


def age(ms: int) -> str:
    """The two greatest units."""
    minutes = ms // 60_000
    days, hours = minutes // 1_440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {ms // 1_000 % 60} s"


def console() -> Console:
    """As wide as the terminal, or wide enough."""
    found = Console()
    return found if found.is_terminal else Console(width=WIDTH)
