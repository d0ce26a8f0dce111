"""The peers side by side: same candles, same work, each in its own environment and process.

python -m benchmarks.peers.run FILE… [--peers a,b] [--symbols N] [--limit SECONDS] [--json]

Environments are made when they are missing or their lock has changed, in .venv/ beside this file;
they are no part of the project's. What the work is stands in task.py; each peer's entries are
compared with those of reference.py, and the exit status is 1 when a peer failed or differs.

Locks are made anew with: uv pip compile --universal --no-header --no-annotate --python-version 3.11
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIMIT_S = 300.0  # for one peer and one file
WIDTH = 100  # of the table, at least
INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")

progress = Console(stderr=True)


@dataclass(frozen=True)
class Peer:
    module: str  # of this folder
    environment: str = ""  # empty: the project's own
    options: tuple[str, ...] = ()
    note: str = ""  # how it differs from the others


REFERENCE = Peer("reference", note="plain Python loops")
PEERS = {
    "chandler": Peer("ours", note="the live desk: agent, orders, positions, exact money"),
    "vectorbt": Peer("vectorbt", "vectorbt", note="all symbols as one array, numba"),
    "vectorbt-rust": Peer(
        "vectorbt", "vectorbt", ("--engine", "rust"), "all symbols as one array, Rust"
    ),
    "backtesting": Peer("backtesting", "backtesting", note="sized at the signal's close"),
    "freqtrade": Peer("freqtrade", "freqtrade", note="enters nothing on the last candle"),
    "nautilus_trader": Peer("nautilus_trader", "nautilus_trader", note="filled at the close"),
    "backtrader": Peer("backtrader", "backtrader", note="sized at the signal's close"),
}


class PeerError(Exception):
    """A peer gave no result; says why, in one line."""


def uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = os.environ.get("UV") or shutil.which("uv") or (str(beside) if beside.exists() else "")
    if not found:
        raise PeerError("uv is needed to make environments and was not found: install it")
    return found


def python_of(environment: str) -> Path:
    """The interpreter of an environment that matches its lock; makes it where it doesn't."""
    if not environment:
        return Path(sys.executable)
    folder = HERE / ".venv" / environment
    lock = HERE / "requirements" / f"{environment}.txt"
    stamp, wanted = folder / "lock.sha256", hashlib.sha256(lock.read_bytes()).hexdigest()
    python = folder / "bin" / "python"
    if stamp.exists() and stamp.read_text() == wanted and python.exists():
        return python
    with progress.status(f"installing {environment} …"):
        call([uv(), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
        call([uv(), "pip", "sync", "--quiet", "--python", str(python), str(lock)])
    stamp.write_text(wanted)
    return python


def call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise PeerError(last_line(done.stderr) or f"{command[0]} failed")


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def measured(peer: Peer, file: Path, symbols: int, limit_s: float) -> dict[str, Any]:
    """The peer's line, and its entries as a set of lines."""
    python = python_of(peer.environment)
    with tempfile.TemporaryDirectory() as folder:
        entries = Path(folder) / "entries"
        command = [str(python), "-m", f"benchmarks.peers.{peer.module}", str(file)]
        command += ["--symbols", str(symbols), "--entries", str(entries), *peer.options]
        # Nothing of the project's environment: each peer has its own.
        environ = {name: os.environ[name] for name in INHERITED if name in os.environ}
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=limit_s
            )
        except subprocess.TimeoutExpired:
            late = f"{peer.module} was not done in {limit_s:.0f} s: raise --limit, or try --symbols"
            raise PeerError(late) from None
        if done.returncode or not done.stdout.strip():
            raise PeerError(last_line(done.stderr) or f"exit status {done.returncode}")
        line: dict[str, Any] = json.loads(last_line(done.stdout))
        return line | {"entries": set(entries.read_text().splitlines())}


def compared(line: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    """Without the entries, but with how many it lacks and how many only it has."""
    own, wanted = line.pop("entries"), reference["entries"]
    return line | {"lacking": len(wanted - own), "added": len(own - wanted)}


def side_by_side(
    file: Path, names: list[str], symbols: int, limit_s: float
) -> list[dict[str, Any]]:
    with progress.status(f"{file.name}: reference …"):
        reference = measured(REFERENCE, file, symbols, limit_s)
    lines = [compared(dict(reference), reference) | {"note": REFERENCE.note}]
    for name in names:
        peer = PEERS[name]
        try:
            with progress.status(f"{file.name}: {name} …"):
                line = compared(measured(peer, file, symbols, limit_s), reference)
        except PeerError as failure:
            line = {"peer": name, "file": file.name, "error": str(failure)}
        lines.append(line | {"note": peer.note})
    return lines


def shown(lines: list[dict[str, Any]]) -> Table:
    first = lines[0]
    title = f"{first['file']}: {first['candles']:,} candles, {first['share']:.0%} of the file"
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("peer", no_wrap=True)
    for name in ("warm-up", "indicators", "whole s", "candles/s", "trades", "PnL"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("entries")
    for line in lines:
        if "error" in line:
            table.add_row(line["peer"], *[""] * 6, "failed", style="red")
            continue
        part = line["seconds_indicators"]
        equal = not line["lacking"] and not line["added"]
        table.add_row(
            f"{line['peer']} {line['version']}",
            f"{line['seconds_warm_up']:.2f}",
            "" if part is None else f"{part:.3f}",
            f"{line['seconds']:.3f}",
            f"{line['candles_per_s']:,.0f}",
            f"{line['trades']:,}",
            f"{line['pnl']:.2f}",
            "equal" if equal else f"{line['lacking']} lacking, {line['added']} added",
        )
    return table


def chosen(text: str) -> list[str]:
    names = text.split(",") if text else [*PEERS]
    unknown = [name for name in names if name not in PEERS]
    if unknown:
        raise SystemExit(f"--peers: {unknown[0]!r} is unknown, expected {', '.join(PEERS)}")
    return names


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.run")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--peers", default="", help=f"some of: {','.join(PEERS)}")
    parser.add_argument("--symbols", type=int, default=0, help="only the first N; 0: all")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for each peer")
    parser.add_argument("--json", action="store_true", help="for programs")
    asked = parser.parse_args()
    names = chosen(asked.peers)
    every: list[dict[str, Any]] = []
    out = Console(width=max(WIDTH, Console().width))  # a cut figure is none
    for file in asked.files:
        if not file.exists():
            raise SystemExit(f"{file} is not there: expected a Parquet file of candles")
        lines = side_by_side(file.resolve(), names, asked.symbols, asked.limit)
        every.extend(lines)
        if not asked.json:
            out.print(shown(lines))
            for line in lines:
                if "error" in line:
                    out.print(
                        f"{line['peer']} failed: {line['error']}", style="red", soft_wrap=True
                    )
    if not asked.json:
        for name in names:
            out.print(f"{name}: {PEERS[name].note}", highlight=False)
    if asked.json:
        print(json.dumps(every))
    return int(any("error" in line or line["lacking"] or line["added"] for line in every))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PeerError as failure:
        sys.exit(str(failure))
