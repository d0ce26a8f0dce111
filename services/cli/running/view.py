"""What `up` shows: a table of what starts, then lines, or a live view on a terminal."""

import ast
import importlib.util
import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chandler.core.events import Signal
from chandler.core.granularity import utc
from chandler.streams.settings import Installation
from services.cli.running.tally import Tally
from services.profile import Profile, TelegramConfig
from services.telegram import api_url
from services.topology import Worker, http_port
from services.watchdog.child import Child
from services.watchdog.supervisor import Supervisor

SIGNALS_SHOWN = 12
NOTES_SHOWN = 4
STAND_IN = "telegram_stand_in"
COLOURS = {"long": "green", "short": "red", "flat": "yellow"}


def doc_of(service: str) -> str:
    """The line that a service declares, read without importing what the service needs."""
    spec = importlib.util.find_spec(f"services.{service}.service")
    if spec is None or spec.origin is None:
        return ""
    for node in ast.walk(ast.parse(Path(spec.origin).read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            for keyword in node.keywords:
                constant = isinstance(keyword.value, ast.Constant)
                if node.func.id == "Service" and keyword.arg == "doc" and constant:
                    return str(ast.literal_eval(keyword.value))
    return ""


def what_starts(installation: Installation, profile: Profile, workers: list[Worker]) -> Table:
    """The table that `up` opens with."""
    venue = profile.venue.rest_url or "simulator"
    speed = f", {profile.simulator.speed:g}x" if profile.simulator else ""
    kafka = "embedded" if installation.embedded else "existing"
    title = f"chandler · profile {installation.profile} · {venue}{speed} · {profile.mode} money"
    table = Table(
        "service", "what it does", "health and metrics", title=title, title_justify="left"
    )
    table.add_row("kafka", f"{kafka} Apache Kafka", installation.bootstrap)
    for worker in workers:
        port = http_port(installation, worker)
        table.add_row(worker.name, doc_of(worker.service), f"http://127.0.0.1:{port}/readyz")
    return table


def for_people(installation: Installation, workers: list[Worker]) -> dict[str, str]:
    """Pages that people open, by what each is; the table's addresses are for machines."""
    if Worker(STAND_IN, 0) not in workers:
        return {}
    stand_in = api_url(installation, TelegramConfig(stand_in=True))
    return {"the page in Telegram's place": f"{stand_in}/"}


def _page_lines(pages: Mapping[str, str]) -> list[str]:
    return [f"{what}: {address}" for what, address in pages.items()]


def signal_line(signal: Signal) -> str:
    """One line for people."""
    return (
        f"signal {signal.symbol} {signal.side} {signal.strength:.2f} {signal.source} "
        f"{signal.granularity} {utc(signal.close_ms)} {signal.reason}"
    )


class Lines:
    """Plain lines, each said once; JSON lines with `log_format` json."""

    def __init__(self, log_format: str, *, services: bool) -> None:
        self._json = log_format == "json"
        self._services = services  # whether the services' own logs are shown

    def start(self, tally: Tally | None, supervisor: Supervisor) -> None:
        pass

    def stop(self) -> None:
        pass

    def refresh(self) -> None:
        pass

    def table(self, table: Table, workers: list[Worker], pages: Mapping[str, str]) -> None:
        if self._json:
            names = [worker.name for worker in workers]
            self.say("starting", services=names, pages=dict(pages))
            return
        Console(width=None if sys.stdout.isatty() else 120).print(table)
        for line in _page_lines(pages):
            self.say(line)

    def say(self, text: str, **fields: Any) -> None:
        if self._json:
            at = datetime.now(UTC).isoformat(timespec="milliseconds")
            text = json.dumps({"at": at, "service": "up", "message": text, **fields})
        print(text, flush=True)

    def log(self, worker: str, line: str) -> None:
        if self._services:
            print(line if self._json else f"{worker:<12} │ {line}", flush=True)

    def signal(self, signal: Signal) -> None:
        self.say(signal_line(signal), id=signal.id) if self._json else self.say(signal_line(signal))


class Screen:
    """The live view."""

    def __init__(self, *, services: bool) -> None:
        self._console = Console()
        self._services = services
        self._live: Live | None = None
        self._notes: list[str] = []
        self._tally: Tally | None = None
        self._supervisor: Supervisor | None = None

    def start(self, tally: Tally | None, supervisor: Supervisor) -> None:
        self._tally, self._supervisor = tally, supervisor
        self._live = Live(self._picture(), console=self._console, auto_refresh=False)
        self._live.start()

    def stop(self) -> None:
        if self._live is not None:
            self.refresh()
            self._live.stop()
            self._live = None

    def refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)

    def table(self, table: Table, workers: list[Worker], pages: Mapping[str, str]) -> None:
        self._console.print(table)
        for line in _page_lines(pages):
            self.say(line)

    def say(self, text: str, **fields: Any) -> None:
        if self._live is None:
            self._console.print(text, markup=False, highlight=False)
            return
        self._notes = [*self._notes, f"{datetime.now().strftime('%H:%M:%S')} {text}"][-NOTES_SHOWN:]
        self.refresh()

    def log(self, worker: str, line: str) -> None:
        if self._services:
            self._console.print(f"{worker:<12} │ {line}", markup=False, highlight=False)

    def signal(self, signal: Signal) -> None:
        pass  # the picture shows the tally's newest

    def _picture(self) -> Group:
        tally, supervisor = self._tally, self._supervisor
        assert supervisor is not None
        services = Table("service", "state", "lag", "age", "restarts", box=None, padding=(0, 2))
        for child in supervisor.children:
            services.add_row(*_service_row(child))
        notes = [Text(note, style="yellow") for note in self._notes]
        if tally is None:
            return Group(services, Text(), *notes)
        elapsed = time.monotonic() - tally.began
        first = "-" if tally.first_signal_s is None else f"{tally.first_signal_s:.1f} s"
        counts = Text.assemble(
            ("candles ", "dim"),
            (f"{tally.candles:,}", "bold"),
            ("   signals ", "dim"),
            (f"{tally.signals:,}", "bold"),
            (f" (+{tally.signals_before:,} of backfilled candles)   first after ", "dim"),
            (first, "bold"),
            (f"   up for {elapsed:,.0f} s   Ctrl-C ends it", "dim"),
        )
        return Group(services, Text(), counts, Text(), _signals(tally), *notes)


def _service_row(child: Child) -> tuple[Text, ...]:
    colour = "green" if child.ready else "yellow" if child.pid else "red"
    answer = child.readiness
    age = "-" if answer is None or answer.age_s is None else f"{answer.age_s:.1f} s"
    return (
        Text(child.worker.name),
        Text(child.state, style=colour),
        Text("-" if answer is None else str(answer.lag)),
        Text(age),
        Text(str(child.restarts or "")),
    )


def _signals(tally: Tally) -> Table:
    table = Table("close (UTC)", "symbol", "side", "strength", "engine", "reason", box=None)
    for signal in list(tally.newest)[-SIGNALS_SHOWN:]:
        table.add_row(
            utc(signal.close_ms),
            signal.symbol,
            Text(signal.side, style=COLOURS[signal.side]),
            f"{signal.strength:.2f}",
            f"{signal.source} {signal.granularity}",
            Text(signal.reason, no_wrap=True, overflow="ellipsis"),
        )
    return table
