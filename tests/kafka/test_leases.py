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


def test_the_last_of_two_processes_ends_it(own):
    with user("lease", own) as first, user("lease", own) as second:
        brokers = {first.broker(), second.broker()}
        users = embedded.users(own)
        first.leave()
        between = embedded.status(own)
        second.leave()

    assert len(brokers) == 1
    assert users == sorted([first.pid, second.pid])
    assert between.pid in brokers
    assert not embedded.status(own).running


def test_a_killed_process_holds_nothing(own):
    with user("lease", own) as doomed:
        pid = doomed.broker()
        doomed.kill()
        users = embedded.users(own)
        still = embedded.status(own).pid
        with embedded.lease(own):
            pass

    assert users == []
    assert still == pid
    assert not embedded.status(own).running


def test_a_process_may_hold_several(own):
    with embedded.lease(own):
        with embedded.lease(own):
            inner = embedded.status(own).pid
        outer = embedded.status(own).pid

    assert inner == outer
    assert not embedded.status(own).running


def test_a_broker_that_dies_under_a_lease_is_repaired_in_the_background(own):
    with embedded.lease(own):
        first = embedded.status(own).pid
        os.kill(first, signal.SIGKILL)
        embedded.ensure_running(own, only_if_leased=True)
        second = embedded.status(own).pid

    assert second not in (None, first)
    assert not embedded.status(own).running


def test_a_repair_that_comes_too_late_starts_nothing(own):
    """A watcher may look just when the last user has left: the broker must not come back."""
    embedded.ensure_running(own, only_if_leased=True)

    assert not embedded.status(own).running


def test_what_was_started_to_stay_stays_until_it_is_stopped(own):
    embedded.keep_running(own)
    with embedded.lease(own):
        pass
    kept = embedded.status(own).running
    embedded.stop(own)
    with embedded.lease(own):
        pass

    assert kept
    assert not embedded.status(own).running


def test_a_start_that_fails_leaves_no_lease(own):
    with socket.create_server(("127.0.0.1", own.port(0))), pytest.raises(PortTakenError):
        with embedded.lease(own):
            pass

    assert list(Layout(own).leases.iterdir()) == []
