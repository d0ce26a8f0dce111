"""How many frames of each kind one core parses in a second: `python benchmarks/parse.py`."""

import time
from pathlib import Path

import orjson

from chandler.exchanges.bitget.parse import parse_frame

FRAMES = Path(__file__).parent.parent / "tests" / "exchanges" / "bitget" / "frames"
SECONDS = 1.0
BATCH = 500


def snapshot_of(raw: bytes, rows: int) -> bytes:
    """The push in `raw`, with `rows` rows a minute apart."""
    frame = orjson.loads(raw)
    (row,) = frame["data"]
    frame["data"] = [[str(int(row[0]) + at * 60_000), *row[1:]] for at in range(rows)]
    return orjson.dumps(frame)


def frames_per_second(raw: bytes) -> float:
    """Parses `raw` again and again for SECONDS of this process's time."""
    frames, start = 0, time.process_time()
    while (spent := time.process_time() - start) < SECONDS:
        for _ in range(BATCH):
            parse_frame(raw)
        frames += BATCH
    return frames / spent


def main() -> None:
    update = (FRAMES / "candle_update.json").read_bytes()
    ticker = (FRAMES / "ticker_snapshot.json").read_bytes()
    one, snapshot = frames_per_second(update), frames_per_second(snapshot_of(update, 500))
    print(f"one-row updates/s={one:,.0f}")
    print(f"tickers/s={frames_per_second(ticker):,.0f}")
    print(f"500-row snapshots/s={snapshot:,.0f} rows/s={snapshot * 500:,.0f}")


if __name__ == "__main__":
    main()
