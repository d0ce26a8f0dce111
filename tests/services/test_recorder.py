"""The recorder: every signal once, whatever dies when."""

import asyncio
import os
import signal as signals
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chandler.core.events import DeadLetter, Signal, Symbol
from chandler.core.granularity import Granularity
from chandler.streams.codec import NewerSchemaError, encode
from chandler.streams.edge import consume
from chandler.streams.settings import Installation
from services.declaration import Health
from services.recorder.edge import RecorderError, SignalFile
from services.recorder.service import append_to
from tests.streams.exact_cluster import ROOT, publish_raw, read

DEADLINE_S = 60.0


def signal(number: int, strength: float = 0.5) -> Signal:
    return Signal(
        id=f"signal{number:06}",
        symbol=Symbol("AAAUSDT"),
        side="long",
        strength=strength,
        source="scalper",
        granularity=Granularity("5m"),
        close_ms=1_704_067_200_000 + number * 300_000,
        expires_ms=1_704_067_320_000 + number * 300_000,
        reason="weakness in an uptrend",
        inputs=[],
        config="c",
        code="d",
    )


def line(number: int, strength: float = 0.5) -> tuple[str, bytes]:
    return signal(number).id, encode(signal(number, strength))


def recorded(path: Path) -> list[str]:
    decoder = msgspec.json.Decoder(Signal)
    return [decoder.decode(text).id for text in path.read_bytes().splitlines()]


def test_a_signal_that_comes_twice_is_one_line(tmp_path):
    path = tmp_path / "signals.jsonl"
    file = SignalFile(path)

    first = file.append([line(1), line(2), line(1)])
    file.close()
    again = SignalFile(path)
    second = again.append([line(2), line(3)])
    again.close()

    assert first == ["new", "new", "known"]
    assert second == ["known", "new"]
    assert recorded(path) == ["signal000001", "signal000002", "signal000003"]


def test_the_same_id_with_other_bytes_is_told_and_the_first_stays(tmp_path):
    file = SignalFile(tmp_path / "signals.jsonl")
    file.append([line(1)])

    verdicts = file.append([line(1, strength=0.9)])
    file.close()

    assert verdicts == ["differs"]
    assert (tmp_path / "signals.jsonl").read_bytes() == line(1)[1] + b"\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(cut=st.integers(min_value=0, max_value=3 * len(line(0)[1]) + 3))
def test_a_file_cut_anywhere_loses_no_whole_line_and_goes_on(tmp_path, cut):
    path = tmp_path / "signals.jsonl"
    whole = b"".join(line(number)[1] + b"\n" for number in range(3))
    path.write_bytes(whole[:cut])
    complete = sum(len(line(0)[1]) <= cut - number * (len(line(0)[1]) + 1) for number in range(3))

    file = SignalFile(path)
    kept = file.signals
    file.append([line(number) for number in range(3)])
    file.close()

    assert kept == complete
    assert path.read_bytes() == whole


def test_a_torn_line_is_kept_aside(tmp_path):
    path = tmp_path / "signals.jsonl"
    path.write_bytes(line(1)[1] + b"\n" + line(2)[1][:40])

    file = SignalFile(path)
    file.close()

    assert file.torn == 40
    assert (tmp_path / "signals.torn").read_bytes() == line(2)[1][:40] + b"\n"
    assert recorded(path) == ["signal000001"]


def test_a_strange_line_in_the_middle_stays_as_it_is(tmp_path):
    path = tmp_path / "signals.jsonl"
    path.write_bytes(b"# my notes\n" + line(1)[1] + b"\n")

    file = SignalFile(path)
    file.append([line(1), line(2)])
    file.close()

    assert file.strange == 1
    assert path.read_bytes() == b"# my notes\n" + line(1)[1] + b"\n" + line(2)[1] + b"\n"


def test_two_recorders_never_write_one_file(tmp_path):
    file = SignalFile(tmp_path / "signals.jsonl")

    with pytest.raises(RecorderError, match="another recorder"):
        SignalFile(tmp_path / "signals.jsonl")

    file.close()


def test_a_full_disk_takes_nothing_of_the_batch(tmp_path):
    """RLIMIT_FSIZE refuses the write in its middle, as a full disk does."""
    path = tmp_path / "signals.jsonl"
    program = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from services.recorder.edge import RecorderError, SignalFile\n"
        "from tests.services.test_recorder import line\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "file = SignalFile(Path(sys.argv[1]))\n"
        "file.append([line(1)])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))\n"
        "try:\n"
        "    file.append([line(n) for n in range(2, 9)])\n"
        "except RecorderError as error:\n"
        "    sys.exit(str(error))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True
    )

    assert "make room on its disk" in done.stderr
    assert recorded(path) == ["signal000001"]


@pytest.fixture
async def cluster(installation: Installation, topics) -> Installation:
    await topics(("signals", "dead-letters"), partitions=2)
    return installation


async def record(cluster: Installation, path: Path, number: int) -> Health:
    """Runs the recorder until the file holds `number` signals."""
    file = SignalFile(path)
    stop = asyncio.Event()
    health = Health()
    letters: list[DeadLetter] = []
    task = asyncio.create_task(
        consume(
            cluster,
            service="recorder",
            topics=["signals"],
            handler=append_to(file),
            stop=stop,
            health=health,
            on_letter=letters.append,
        )
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not task.done() and not (file.signals >= number and health.lag == 0):
                await asyncio.sleep(0.05)
    finally:
        stop.set()
        try:
            await task
        finally:
            file.close()
    return health


@pytest.mark.kafka
async def test_killed_between_write_and_commit_it_writes_nothing_twice(cluster, tmp_path):
    path = tmp_path / "signals.jsonl"
    for number in range(20):
        await publish_raw(cluster, "signals", line(number)[1], "AAAUSDT")
    program = (
        "import asyncio, os, signal, sys\n"
        "from tests.services.test_recorder import killed_after_the_write\n"
        "asyncio.run(killed_after_the_write(sys.argv[1]))\n"
    )
    environ = {
        **os.environ,
        "CHANDLER_BROKERS": cluster.bootstrap,
        "CHANDLER_TOPIC_PREFIX": cluster.topic_prefix,
    }
    died = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(path), cwd=ROOT, env=environ
    )
    status = await asyncio.wait_for(died.wait(), DEADLINE_S)
    written = len(recorded(path))

    await record(cluster, path, 20)

    assert status == -signals.SIGKILL
    assert written > 0
    assert sorted(recorded(path)) == [signal(number).id for number in range(20)]


async def killed_after_the_write(path: str) -> None:
    """A recorder that dies when its first batch is on disk and nothing is committed."""
    from chandler.streams.settings import installation

    file = SignalFile(Path(path))
    append = append_to(file)

    async def append_and_die(records):
        await append(records)
        os.kill(os.getpid(), signals.SIGKILL)

    await consume(
        installation(),
        service="recorder",
        topics=["signals"],
        handler=append_and_die,
        stop=asyncio.Event(),
        health=Health(),
        on_letter=print,
    )


@pytest.mark.kafka
async def test_what_is_no_signal_is_a_dead_letter_and_the_rest_goes_on(cluster, tmp_path):
    path = tmp_path / "signals.jsonl"
    await publish_raw(cluster, "signals", line(1)[1], "AAAUSDT")
    await publish_raw(cluster, "signals", b"{not json", "AAAUSDT")
    await publish_raw(cluster, "signals", encode(signal(1, strength=0.9)), "AAAUSDT")
    await publish_raw(cluster, "signals", line(2)[1], "AAAUSDT")

    health = await record(cluster, path, 2)
    letters = [one for one in await read(cluster, "dead-letters") if isinstance(one, DeadLetter)]

    assert recorded(path) == ["signal000001", "signal000002"]
    assert {one.cause for one in letters} == {"undecodable", "same id, other bytes"}
    assert letters[0].topic == "signals"
    assert health.lag == 0


@pytest.mark.kafka
async def test_a_newer_schema_stops_it_with_what_to_do(cluster, tmp_path):
    newer = encode(signal(1)).replace(b'"v":1', b'"v":2')
    await publish_raw(cluster, "signals", newer, "AAAUSDT")

    with pytest.raises(NewerSchemaError, match="update this service"):
        await record(cluster, tmp_path / "signals.jsonl", 1)

    assert recorded(tmp_path / "signals.jsonl") == []
