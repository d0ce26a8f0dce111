"""Named chaos points: nothing without the variable, the nth pass with it."""

import signal

import pytest

from chandler.streams.points import POINTS, VARIABLE, PointError, Points, armed, point


def test_without_the_variable_no_point_does_anything():
    for name in POINTS:
        point(name)

    assert not armed("commit")
    assert len(POINTS) == 12


def test_the_nth_pass_of_the_named_point_ends_or_freezes_the_process():
    kills = Points({VARIABLE: "commit.before:2"})
    stops = Points({VARIABLE: "stop:request.after"})

    assert [kills.passed("commit.before") for _ in range(3)] == [None, signal.SIGKILL, None]
    assert kills.passed("commit.after") is None
    assert stops.passed("request.after") == signal.SIGSTOP


@pytest.mark.parametrize("text", ["commit", "comit.before", "commit.before:x"])
def test_a_point_that_does_not_exist_is_told(text):
    with pytest.raises(PointError, match="expected"):
        Points({VARIABLE: text})
