"""The embedded Kafka starts, is found again, is repaired, and says what is in its way."""

import os
import signal
import socket
from pathlib import Path

import msgspec
import pytest
from aiokafka import TopicPartition

from chandler.streams import embedded
from chandler.streams.admin import create_topics
from chandler.streams.clients import consumer, producer
from chandler.streams.embedded import broker, processes
from chandler.streams.embedded.broker import Process
from chandler.streams.embedded.configuration import Layout
from chandler.streams.embedded.errors import (
    DiskError,
    InUseError,
    JavaError,
    PortTakenError,
    StartError,
    UnreachableError,
)
from chandler.streams.embedded.probe import LISTENING, answers
from chandler.streams.settings import Installation
from tests.conftest import free_port_base
from tests.kafka.users import user

pytestmark = pytest.mark.kafka

ONE_LINE = r"^[^\n]+$"


def broker_of(installation: Installation) -> int:
    pid = embedded.status(installation).pid
    assert pid is not None
    return pid


async def write(installation: Installation, values: list[bytes]) -> None:
    await create_topics(installation, 1, 1, ["signals"])
    async with producer(installation) as client:
        for value in values:
            await client.send_and_wait("signals", value)


async def written(installation: Installation) -> list[bytes]:
    tp = TopicPartition("signals", 0)
    async with consumer(installation, fetch_max_wait_ms=50) as client:
        client.assign([tp])
        end = (await client.end_offsets([tp]))[tp]
        client.seek(tp, 0)
        values: list[bytes] = []
        while await client.position(tp) < end:
            batches = await client.getmany(tp, timeout_ms=500)
            values += [record.value for record in batches.get(tp, [])]
        return values


async def test_a_killed_broker_is_started_again_with_all_that_it_held(prepared):
    embedded.ensure_running(prepared)
    first = broker_of(prepared)
    await write(prepared, [b"1", b"2"])
    os.kill(first, signal.SIGKILL)
    embedded.ensure_running(prepared)
    await write(prepared, [b"3"])

    assert embedded.status(prepared).pid != first
    assert await written(prepared) == [b"1", b"2", b"3"]


async def test_its_data_outlive_a_stop_and_a_move_to_other_ports(prepared):
    embedded.ensure_running(prepared)
    await write(prepared, [b"1"])
    assert embedded.stop(prepared)
    moved = msgspec.structs.replace(prepared, port_base=free_port_base())
    embedded.ensure_running(moved)

    assert await written(moved) == [b"1"]


def test_two_who_start_it_at_the_same_time_share_one_broker(prepared):
    with user("once", prepared) as one, user("once", prepared) as other:
        brokers = {one.broker(), other.broker()}
    embedded.ensure_running(prepared)

    assert brokers == {embedded.status(prepared).pid}


def test_it_says_what_it_does_and_says_nothing_when_it_runs_already(own):
    said: list[str] = []
    embedded.ensure_running(own, said.append)
    first = list(said)
    embedded.ensure_running(own, said.append)

    assert first[-1] == "starting Kafka"
    assert said == first


def test_its_status_is_known_before_while_and_after_it_runs(prepared):
    before = embedded.status(prepared)
    embedded.ensure_running(prepared)
    now = embedded.status(prepared)
    ended = embedded.stop(prepared)
    after = embedded.status(prepared)

    assert (before.running, before.pid) == (False, None)
    assert now.running
    assert now.port == prepared.port(0)
    assert now.data_bytes > 0
    assert ended
    assert (after.running, after.pid) == (False, None)
    assert not embedded.stop(prepared)


def test_ctrl_c_in_our_terminal_does_not_reach_it(shared):
    pid = broker_of(shared)

    assert os.getsid(pid) == pid


def test_it_listens_on_loopback_only(shared):
    pid = broker_of(shared)
    inodes = {os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")}
    tables = [Path(f"/proc/{pid}/net/{name}").read_text() for name in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables for line in table.splitlines()[1:]]
    addresses = [
        fields[1].split(":")[0]
        for fields in sockets
        if fields[3] == LISTENING and f"socket:[{fields[9]}]" in inodes
    ]

    loopback = {"0100007F", "0000000000000000FFFF00000100007F"}
    assert len(addresses) == 2
    assert set(addresses) <= loopback


@pytest.mark.parametrize("offset", [0, 1])
def test_a_taken_port_is_named_with_what_to_set(own, offset):
    with (
        socket.create_server(("127.0.0.1", own.port(offset))),
        pytest.raises(PortTakenError, match=ONE_LINE) as refused,
    ):
        embedded.ensure_running(own)

    assert f"port {own.port(offset)} is taken by process {os.getpid()} (" in str(refused.value)
    assert "CHANDLER_PORT_BASE" in str(refused.value)


def test_without_java_it_says_what_to_install(own, monkeypatch):
    monkeypatch.setattr(broker, "bundled_java", lambda: None)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)

    with pytest.raises(JavaError, match=r"^Kafka needs Java 17 or newer, .*: install a JDK"):
        embedded.ensure_running(own)


def test_a_full_disk_is_refused_before_anything_starts(own, monkeypatch):
    monkeypatch.setattr(broker, "DISK_BYTES_MIN", 2**62)

    with pytest.raises(DiskError, match=r"^[^\n]* MB left, Kafka needs .*CHANDLER_DATA[^\n]*$"):
        embedded.ensure_running(own)


def test_a_data_directory_that_cannot_be_one_is_refused(own):
    file = own.data / "file"
    file.write_text("")

    with pytest.raises(DiskError, match=r"^[^\n]*can't be written[^\n]*CHANDLER_DATA[^\n]*$"):
        embedded.ensure_running(msgspec.structs.replace(own, data=file))


def test_a_broker_that_ends_while_it_starts_is_quoted(own):
    layout = Layout(own)
    layout.records.mkdir(parents=True)
    (layout.records / "meta.properties").write_text("version=1\nnode.id=77\ncluster.id=x\n")

    with pytest.raises(StartError, match=ONE_LINE) as failed:
        embedded.ensure_running(own)

    assert "77" in str(failed.value)
    assert str(layout.folder) in str(failed.value)
    assert not embedded.status(own).running


def test_a_storage_half_prepared_is_prepared_anew(own):
    layout = Layout(own)
    layout.records.mkdir(parents=True)
    (layout.records / "bootstrap.checkpoint.tmp").write_bytes(b"half")
    embedded.ensure_running(own)

    assert answers("127.0.0.1", own.port(0))


def test_other_ports_for_a_running_broker_are_refused(shared):
    elsewhere = msgspec.structs.replace(shared, port_base=shared.port_base + 100)

    with pytest.raises(InUseError, match=rf"runs on port {shared.port(0)}, .*set it to"):
        embedded.ensure_running(elsewhere)


def test_a_process_number_given_out_again_is_not_taken_for_the_broker(own):
    layout = Layout(own)
    layout.folder.mkdir()
    stale = Process(pid=os.getpid(), started=1, port=own.port(0))
    layout.process.write_bytes(msgspec.json.encode(stale))

    assert not embedded.status(own).running
    assert not embedded.stop(own)


def test_a_process_file_cut_short_counts_as_none(own):
    layout = Layout(own)
    layout.folder.mkdir()
    layout.process.write_bytes(b'{"pid":')

    assert not embedded.status(own).running


def test_a_stubborn_broker_is_killed(prepared):
    """SIGTERM means nothing to a stopped process."""
    embedded.ensure_running(prepared)
    pid = broker_of(prepared)
    started = processes.started(pid)
    assert started is not None
    os.kill(pid, signal.SIGSTOP)
    processes.end(pid, started, patience_s=0.2)

    assert processes.started(pid) is None


def test_named_brokers_are_asked_and_never_started(kafka, own):
    named = msgspec.structs.replace(own, brokers=kafka.bootstrap)
    embedded.ensure_running(named)
    with embedded.lease(named):
        pass

    assert not embedded.status(named).running
    assert not embedded.stop(named)
    assert not Layout(named).folder.exists()


async def test_named_brokers_that_are_gone_are_named(own):
    gone = msgspec.structs.replace(own, brokers="127.0.0.1:9")

    with pytest.raises(UnreachableError, match=r"^no Kafka answers at 127.0.0.1:9 [^\n]+$"):
        embedded.ensure_running(gone)
