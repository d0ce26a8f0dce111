"""How long a fresh shard waits for its signals: as long as they come, but not for ever."""

from chandler.streams.exact.order import PATIENCE_TIMES_MAX, Patience


def test_what_moves_is_waited_for_longer_than_what_stands() -> None:
    """On a busy machine signals of the backfill came for a minute: it began after half of one."""
    moving, standing = Patience(30.0), Patience(30.0)

    assert [standing.waits(7, now) for now in (100.0, 129.0, 130.0)] == [True, True, False]
    assert all(moving.waits(number, 100.0 + 20.0 * number) for number in range(5))


def test_nothing_is_waited_for_for_ever() -> None:
    patience = Patience(30.0)

    waited = [patience.waits(number, 10.0 * number) for number in range(100)]

    assert sum(waited) == 3 * PATIENCE_TIMES_MAX
    assert not any(waited[3 * PATIENCE_TIMES_MAX :])


def test_without_patience_nothing_is_waited_for() -> None:
    assert not Patience(0.0).waits(0, 1.0)
