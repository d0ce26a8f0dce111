"""Two runs beside each other."""

from decimal import Decimal

import msgspec

from chandler.core.hashing import digest
from chandler.replay.metrics import measure
from chandler.replay.report import compare, run_of
from tests.replay.results import changed, made


def run(result, name="run"):
    return run_of(name, result, measure(result))


def test_a_run_equals_itself():
    result = made(days=20, trades=40)

    found = compare(run(result), run(result))

    assert (found.same_digest, found.same_candles, found.same_config, found.same_code) == (
        True,
    ) * 4
    assert (found.equal, found.only_first, found.only_second, found.differing) == (40, [], [], [])
    assert all(not line.difference for line in found.figures)


def test_trades_of_one_alone_and_other_ends_are_told():
    result = made(days=20, trades=40)
    late = msgspec.structs.replace(result.trades[3], realised=Decimal(5))
    other = changed(result, trades=[*result.trades[1:3], late, *result.trades[4:]])

    found = compare(run(result), run(other))

    assert found.only_first == result.trades[:1]
    assert found.only_second == []
    assert [pair.second for pair in found.differing] == [late]
    assert found.equal == 38


def test_the_same_trade_under_another_configuration_is_the_same():
    """A position's id holds the configuration's hash."""
    result = made(days=20, trades=40)
    trades = [msgspec.structs.replace(each, id=digest("other", each.id)) for each in result.trades]
    origin = msgspec.structs.replace(result.origin, config=digest("other"))

    found = compare(run(result), run(changed(result, trades=trades, origin=origin)))

    assert found.equal == 40
    assert not found.same_config


def test_a_difference_is_the_second_less_the_first():
    result = made(days=20, trades=40)
    found = compare(run(result), run(changed(result, trades=result.trades[:-1])))
    lines = {line.name: line for line in found.figures}

    assert lines["trades.pnl"].difference == -result.trades[-1].pnl
    assert isinstance(lines["trades.pnl"].difference, Decimal)


def test_what_one_of_them_lacks_has_no_difference():
    found = compare(run(made(days=20, trades=40)), run(made(days=20, trades=0)))
    lines = {line.name: line for line in found.figures}

    assert lines["trades.win_rate"].second is None
    assert lines["trades.win_rate"].difference is None
    assert not found.same_digest
