"""The command line: finds the command's module, runs it, turns errors into one line and a status.

0: well, 1: a check failed, 2: usage, 3: configuration, 4: Kafka can't be reached, 130: Ctrl-C.
Only the module of the command that was asked for is imported.
"""

import importlib
import importlib.util
import logging
import os
import sys
from typing import NamedTuple

import typer

from services.cli import interrupts
from services.exits import INTERRUPTED, USAGE, first_cause, one_line, status_of


class Command(NamedTuple):
    """Where a command is: a function, or a typer app with commands of its own."""

    module: str
    attribute: str
    doc: str


COMMANDS: dict[str, Command] = {
    "up": Command("services.cli.running.up", "up", "Starts everything, or a half."),
    "run": Command("services.cli.running.up", "run", "Runs one service (images and pods)."),
    "preflight": Command(
        "services.cli.running.preflight", "preflight", "What stands in the way of a start."
    ),
    "setup": Command("services.cli.setup.command", "setup", "Asks what is needed, and writes it."),
    "status": Command("services.cli.running.status", "status", "Services, lags, ages."),
    "restart": Command("services.cli.running.restart", "restart", "Drains and starts one anew."),
    "crashes": Command("services.cli.running.crashes", "crashes", "Ends that nobody asked for."),
    "market": Command("services.cli.running.market", "market", "The market by window, live."),
    "topics": Command("services.cli.records.topics", "app", "Topics and what is in them."),
    "tail": Command("services.cli.records.tail", "tail", "Records of a topic as they come."),
    "candles": Command("services.cli.records.candles", "app", "Candles: export, import, fetch."),
    "audit": Command("services.cli.records.audit", "app", "Checks what stands in the topics."),
    "agents": Command("services.cli.desk.agents", "agents", "Agents: balance, PnL, switches."),
    "positions": Command("services.cli.desk.positions", "positions", "What is open now."),
    "orders": Command("services.cli.desk.orders", "orders", "The newest orders and refusals."),
    "why": Command("services.cli.desk.why", "why", "Explains an order, back to its candles."),
    "desk": Command("services.cli.desk.books", "app", "The desk's books, and what is asked of it."),
    "ledger": Command("services.cli.ledger.app", "app", "Trades, PnL, orders, refusals."),
    "picture": Command("services.cli.ledger.picture", "picture", "Draws a trade as a PNG."),
    "chaos": Command("services.cli.chaos.command", "chaos", "Kills everything; counts orders."),
    "verify": Command("services.cli.verify.command", "verify", "Recomputes every decision."),
    "backtest": Command("services.cli.backtest.command", "run", "Tries a profile on the past."),
    "replay": Command("services.cli.replaying.command", "replay", "Plays the past again, apart."),
    "optimise": Command("services.cli.optimise.command", "app", "Searches parameters."),
    "indicator": Command("services.cli.indicator", "indicator", "Computes an indicator of a file."),
    "check-causal": Command("services.cli.check_causal", "check_causal", "Looks for look-ahead."),
    "new": Command("services.cli.new_engine", "app", "Writes a plug-in from a template."),
    "gateway": Command("services.cli.gateway", "app", "Links and keys for page and programs."),
    "config": Command("services.cli.config", "app", "Shows and sets configuration."),
    "kafka": Command("services.cli.kafka", "app", "Starts, stops and shows the embedded Kafka."),
    "render": Command("services.cli.render", "render", "Writes what follows from declarations."),
    "test": Command("services.cli.test", "test", "Runs the tests."),
    "bench": Command("services.cli.bench", "bench", "Runs a benchmark."),
}
PASS_ON = {"test", "bench"}  # what follows them goes to pytest, or to the benchmark


def build(only: str = "") -> typer.Typer:
    """The app with one command, or with the names of all of them (for help)."""
    app = typer.Typer(
        name="chandler",
        help="Candles in, explained decisions out.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def chandler() -> None:
        """Candles in, explained decisions out."""

    for name, command in COMMANDS.items():
        if only in COMMANDS and name != only:
            continue
        if importlib.util.find_spec(command.module) is None:
            continue
        _register(app, name, command, real=name == only)
    return app


def _register(app: typer.Typer, name: str, command: Command, *, real: bool) -> None:
    if not real:
        app.command(name, help=command.doc)(lambda: None)
        return
    found = getattr(importlib.import_module(command.module), command.attribute)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name, help=command.doc)
        return
    settings = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(name, context_settings=settings if name in PASS_ON else None)(found)


def main(words: list[str]) -> int:
    """Runs the command line; the exit status."""
    if os.environ.get("CHANDLER_LOG_LEVEL") != "debug":
        # What a command has to say of Kafka it says itself, once.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    interrupts.listen()
    only = next((word for word in words if not word.startswith("-")), "")
    try:
        command = typer.main.get_command(build(only))
        result = command.main(args=words, prog_name="chandler", standalone_mode=False)
    except typer.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        sys.stderr.write("chandler: stopped by Ctrl-C\n")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return explained(error)
    return result if isinstance(result, int) else 0


def explained(error: BaseException) -> int:
    """One line on stderr for the error, and its exit status."""
    error = first_cause(error)
    if type(error).__name__ == "NoArgsIsHelpError":
        return USAGE  # the help was printed instead
    usage = getattr(error, "format_message", None)
    line = " ".join(str(usage()).split()) if callable(usage) else one_line(error)
    sys.stderr.write(f"chandler: {line}\n")
    if os.environ.get("CHANDLER_LOG_LEVEL") == "debug":
        sys.excepthook(type(error), error, error.__traceback__)
    code = getattr(error, "exit_code", None)
    return code if isinstance(code, int) else status_of(error)
