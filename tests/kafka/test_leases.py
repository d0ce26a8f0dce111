"""Who is first starts Kafka, who is last ends it, and the dead don't count."""

import os
import signal
import socket

import pytest

from chandler.streams import embedded
from chandler.streams.embedded.configuration import Layout
from chandler.streams.embedded.errors import PortTakenError
from tests.kafka.users import user

pytestmark = pytest.mark.kafka


def test_the_last_of_two_processes_ends_it(prepared):
    with user("lease", prepared) as first, user("lease", prepared) as second:
        brokers = {first.broker(), second.broker()}
        users = embedded.users(prepared)
        first.leave()
        between = embedded.status(prepared)
        second.leave()

    assert len(brokers) == 1
    assert users == sorted([first.pid, second.pid])
    assert between.pid in brokers
    assert not embedded.status(prepared).running


def test_a_killed_process_holds_nothing(prepared):
    with user("lease", prepared) as doomed:
        pid = doomed.broker()
        doomed.kill()
        users = embedded.users(prepared)
        still = embedded.status(prepared).pid
        with embedded.lease(prepared):
            pass

    assert users == []
    assert still == pid
    assert not embedded.status(prepared).running


def test_a_process_may_hold_several(prepared):
    with embedded.lease(prepared):
        with embedded.lease(prepared):
            inner = embedded.status(prepared).pid
        outer = embedded.status(prepared).pid

    assert inner == outer
    assert not embedded.status(prepared).running


def test_a_broker_that_dies_under_a_lease_is_repaired_in_the_background(prepared):
    with embedded.lease(prepared):
        first = embedded.status(prepared).pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        embedded.ensure_running(prepared, only_if_leased=True)
        second = embedded.status(prepared).pid

    assert second not in (None, first)
    assert not embedded.status(prepared).running


def test_a_repair_that_comes_too_late_starts_nothing(own):
    """A watcher may look just when the last user has left: the broker must not come back."""
    embedded.ensure_running(own, only_if_leased=True)

    assert not embedded.status(own).running


def test_what_was_started_to_stay_stays_until_it_is_stopped(prepared):
    embedded.keep_running(prepared)
    with embedded.lease(prepared):
        pass
    kept = embedded.status(prepared).running
    embedded.stop(prepared)
    with embedded.lease(prepared):
        pass

    assert kept
    assert not embedded.status(prepared).running


def test_a_start_that_fails_leaves_no_lease(own):
    with (
        socket.create_server(("127.0.0.1", own.port(0))),
        pytest.raises(PortTakenError),
        embedded.lease(own),
    ):
        pass

    assert list(Layout(own).leases.iterdir()) == []


def test_ctrl_c_while_it_starts_leaves_nothing(prepared):
    """`up` was interrupted in its first second, and a broker without a user stayed behind."""

    def interrupt(_: str) -> None:
        broker = embedded.status(prepared)
        assert not broker.running
        signal.setitimer(signal.ITIMER_REAL, 0.5)

    def ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, ctrl_c)
    try:
        with pytest.raises(KeyboardInterrupt), embedded.lease(prepared, interrupt):
            pass
    finally:
        signal.signal(signal.SIGALRM, before)

    assert embedded.users(prepared) == []
    assert not embedded.status(prepared).running
