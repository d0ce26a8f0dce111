"""What may be varied: always within its range, finite, and written as it was tried."""

from hypothesis import given
from hypothesis import strategies as st

from chandler.core.trading.modes import settings_of
from chandler.replay.optimise.space import Parameter, of_engine, of_mode
from chandler.strategies import modes
from services import plugins
from services.layers import parse_value
from services.past.setting import chosen
from services.runner import installed

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.tuples(NUMBERS, NUMBERS).filter(lambda each: each[0] < each[1]), NUMBERS, st.booleans())
def test_what_is_written_is_what_is_tried_and_lies_in_the_range(ends, number, whole):
    low, high = (float(round(each)) for each in ends) if whole else ends
    parameter = Parameter(path="a.b", low=low, high=high, now=low, whole=whole)

    tried = parameter.applied(number)
    path, _, written = parameter.change(number).partition("=")

    assert low <= tried <= high
    assert (path, float(parse_value(written))) == ("a.b", tried)


def test_an_engine_gives_its_tunables_and_thresholds():
    setting = chosen(installed(), "demo", agents=["scalper"]).setting
    engine = next(each for each in setting.engines if each.name == "scalper")

    found = {each.path: each for each in of_engine(engine)}

    assert "engines.scalper.evaluators.macd_momentum.set.full" in found
    assert found["engines.scalper.long_threshold"].now == 0.5
    assert found["engines.scalper.short_threshold"].low < -0.5
    assert all(each.low <= each.now <= each.high for each in found.values())


def test_a_mode_gives_the_settings_that_it_has_ranges_for():
    settings = settings_of(modes.dca, {"steps": 4})

    found = {each.path: each for each in of_mode("reverter", modes.dca, settings)}

    assert (found["agents.reverter.set.steps"].now, found["agents.reverter.set.steps"].whole) == (
        4.0,
        True,
    )
    assert found["agents.reverter.set.steps"].change(2.4) == "agents.reverter.set.steps=2"
    assert set(plugins.load().modes) >= {"fixed", "dca", "trailing"}
