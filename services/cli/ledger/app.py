"""`ledger`: trades; PnL by agent, engine, symbol and day; orders, refusals; and a rebuild of it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import typer
from sqlalchemy import Connection

from services.cli.ledger.reading import ledger, ledger_url
from services.cli.ledger.view import show
from services.cli.records.reading import reading
from services.ledger import queries
from services.ledger.queries import Rows, Wanted

app = typer.Typer(no_args_is_help=True)

Agent = Annotated[str, typer.Option("--agent", help="only this agent's")]
Symbol = Annotated[str, typer.Option("--symbol", help="only this symbol's")]
Engine = Annotated[str, typer.Option("--engine", help="only what this engine (or source) began")]
Day = Annotated[str, typer.Option("--day", help="only this UTC day: 2024-01-31")]
Limit = Annotated[int, typer.Option("--limit", help="at most so many; 0: all", min=0)]
AsJson = Annotated[bool, typer.Option("--json", help="for programs")]
Question = Callable[[Connection, Wanted], Rows]


@app.callback()
def ledger_commands() -> None:
    """Shows what the recorder wrote down."""


@app.command()
def trades(
    agent: Agent = "",
    symbol: Symbol = "",
    engine: Engine = "",
    day: Day = "",
    limit: Limit = 20,
    as_json: AsJson = False,
) -> int:
    """Closed round trips, newest first."""
    return _answer(
        "trades", queries.closed_trades, _wanted(agent, symbol, engine, day, limit), as_json
    )


@app.command()
def agents(
    agent: Agent = "",
    symbol: Symbol = "",
    engine: Engine = "",
    day: Day = "",
    limit: Limit = 0,
    as_json: AsJson = False,
) -> int:
    """Balance and PnL by agent."""
    return _answer("agents", queries.agents, _wanted(agent, symbol, engine, day, limit), as_json)


@app.command()
def engines(
    agent: Agent = "",
    symbol: Symbol = "",
    engine: Engine = "",
    day: Day = "",
    limit: Limit = 0,
    as_json: AsJson = False,
) -> int:
    """PnL by the engine (or other source) that began the trade."""
    return _answer("engines", _by("source"), _wanted(agent, symbol, engine, day, limit), as_json)


@app.command()
def symbols(
    agent: Agent = "",
    symbol: Symbol = "",
    engine: Engine = "",
    day: Day = "",
    limit: Limit = 0,
    as_json: AsJson = False,
) -> int:
    """PnL by symbol, best first."""
    return _answer("symbols", _by("symbol"), _wanted(agent, symbol, engine, day, limit), as_json)


@app.command()
def days(agent: Agent = "", day: Day = "", limit: Limit = 31, as_json: AsJson = False) -> int:
    """PnL by UTC day and agent, newest first; fees of what is still open are in it."""
    return _answer("days", queries.days, _wanted(agent, "", "", day, limit), as_json)


@app.command()
def orders(
    agent: Agent = "",
    symbol: Symbol = "",
    engine: Engine = "",
    day: Day = "",
    limit: Limit = 20,
    as_json: AsJson = False,
) -> int:
    """Orders as they stand, newest first."""
    return _answer(
        "orders", queries.order_rows, _wanted(agent, symbol, engine, day, limit), as_json
    )


@app.command()
def refusals(
    agent: Agent = "",
    symbol: Symbol = "",
    engine: Engine = "",
    day: Day = "",
    limit: Limit = 20,
    as_json: AsJson = False,
) -> int:
    """Orders that were not made, with the reason, newest first."""
    return _answer(
        "refusals", queries.refusal_rows, _wanted(agent, symbol, engine, day, limit), as_json
    )


@app.command()
def rebuild(
    check: Annotated[bool, typer.Option("--check", help="only compare; changes nothing")] = False,
    as_json: AsJson = False,
) -> int:
    """Drops the rows and folds the topics again; status 1 if they aren't the same, or none."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from services.ledger import rebuild as again

    url = ledger_url()
    columns = (TextColumn("topics"), BarColumn(), MofNCompleteColumn())
    with (
        reading() as installation,
        Progress(*columns, console=Console(stderr=True), transient=True) as bar,
    ):
        task = bar.add_task("", total=None)
        work = again.compare if check else again.rebuild
        found = asyncio.run(
            work(installation, url, lambda done, all_: bar.update(task, completed=done, total=all_))
        )
    if as_json:
        report = {
            "events": found.events,
            "rows": found.rows,
            "refused": found.refused,
            "differing": found.differing,
            "digest": found.digest,
            "left": found.left,
            "tables": {name: each._asdict() for name, each in found.after.items()},
        }
        typer.echo(msgspec.json.encode(report).decode())
    else:
        for name in found.differing:
            was, now = found.before[name], found.after[name]
            typer.echo(f"{name}: {was.rows} rows before, {now.rows} from the topics", err=True)
        for topic in found.left:
            typer.echo(f"{topic}: its oldest records have expired, its rows stay", err=True)
        typer.echo(
            f"events={found.events} rows={found.rows} refused={found.refused} "
            f"differing={len(found.differing)} digest={found.digest}"
        )
    if not found.events:
        typer.echo("nothing was looked at: run ./chandler up for a while first", err=True)
    return 0 if found.events and not found.differing else 1


@app.command()
def migrate() -> None:
    """Brings the schema up to date, or makes it; the recorder does so itself at its start."""
    from services.ledger.address import shown
    from services.ledger.opening import NEWEST, open_writer

    url = ledger_url()
    open_writer(url).dispose()
    typer.echo(f"ledger={shown(url)} schema={NEWEST}")


def _by(column: str) -> Question:
    return lambda connection, wanted: queries.pnl_by(connection, column, wanted)


def _wanted(agent: str, symbol: str, engine: str, day: str, limit: int) -> Wanted:
    return Wanted(agent, symbol.upper(), engine, _day_ms(day), limit)


def _day_ms(text: str) -> int | None:
    if not text:
        return None
    try:
        moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter(f"--day {text}: expected a UTC day like 2024-01-31") from None
    return int(moment.timestamp()) * 1_000


def _answer(name: str, ask: Question, wanted: Wanted, as_json: bool) -> int:
    with ledger() as connection:
        rows = ask(connection, wanted)
    if as_json:
        typer.echo(msgspec.json.encode({name: rows}, enc_hook=_plain).decode())
    else:
        show(name, rows)
    return 0


def _plain(value: Any) -> Any:
    assert isinstance(value, Decimal)
    return str(value)
