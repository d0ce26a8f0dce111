"""Plug-ins from a folder: what works is taken in, what is broken is left out with one line."""

from pathlib import Path

import pytest

from chandler.core.engine import EngineConfig, EvaluatorConfig
from chandler.core.granularity import Granularity
from services import plugins
from services.layers import ConfigurationError
from services.profile import IngestConfig, Profile

GOOD = '''
from chandler.core.engine import Engine, EngineConfig, EvaluatorConfig
from chandler.core.evaluator import evaluator
from chandler.core.indicators import Rsi

CHANDLER_CORE = ">=0.1,<0.2"

@evaluator(version="1.0")
def dip(rsi: Rsi(7)) -> float:
    """Buys a dip."""
    return 1.0 if rsi < 20.0 else 0.0

dipper = Engine(
    name="dipper",
    version="3",
    doc="Dips.",
    config=EngineConfig(evaluators={"dip": EvaluatorConfig()}),
)
'''


TWIN = """
import msgspec
from chandler.core.indicators import Rsi as Other

Twin = msgspec.structs.replace(Other(14), step=lambda *state: state[0])
"""


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def profile_of(found: plugins.Plugins, **more: EngineConfig) -> Profile:
    shipped = {name: engine.config for name, engine in found.engines.items()}
    return Profile(engines={**shipped, **more})


def test_a_file_in_the_folder_is_a_plug_in_beside_the_shipped_ones(tmp_path: Path) -> None:
    found = plugins.load(folder(tmp_path, mine=GOOD))

    assert found.faults == []
    assert set(found.engines) == {"dipper", "reverter", "scalper", "trend"}
    assert "dip" in found.evaluators
    assert "rsi_reversal" in found.evaluators


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def broken(:", "SyntaxError: invalid syntax"),
        (GOOD + "\n1 / 0", "ZeroDivisionError: division by zero"),
        (GOOD + "\nraise SystemExit(3)", "SystemExit: 3"),
        (GOOD.replace("<0.2", "<0.1"), "it is made for chandler-core >=0.1,<0.1, this is 0.1.0"),
        (GOOD.replace(">=0.1,<0.2", "newest"), "expected a range such as >=0.1,<0.2"),
        (GOOD.replace("CHANDLER_CORE", "OTHER"), "it doesn't say which core it is made for"),
        ('CHANDLER_CORE = ">=0.1"', "it has no evaluator and no engine"),
        (GOOD.replace("Rsi(7)", "float"), "parameter 'rsi' names no indicator"),
        (GOOD.replace('name="dipper"', 'name="scalper"'), "has an engine 'scalper' too, rename it"),
        (GOOD.replace("def dip(", "def rsi_reversal("), "has an evaluator 'rsi_reversal' too"),
        (GOOD.replace("Config(eval", "Config(long_threshold=7.0, eval"), "long_threshold is 7.0"),
        (GOOD.replace("Config(eval", "Config(cooldown='a while', eval"), "Expected `int`, got"),
        (GOOD.replace('{"dip": EvaluatorConfig()}', '["dip"]'), "Expected `object`, got `array`"),
        (GOOD.replace("Config()", "Config(weight=float('nan'))"), "weight nan of dip: expected 0"),
        (GOOD.replace("EvaluatorConfig()", "None"), "Expected `object`, got `null`"),
        (GOOD.replace("Config()", "Config(set={'deep': 1.0})"), "dip has no tunable 'deep'"),
        (TWIN + GOOD.replace("Rsi(7)", "Twin"), "another indicator is called rsi(14) too"),
        (GOOD + "\nimport not_there", "ModuleNotFoundError: No module named 'not_there'"),
    ],
)
def test_a_broken_one_is_left_out_with_one_line_and_the_rest_loads(
    tmp_path: Path, text: str, said: str
) -> None:
    other = GOOD.replace("def dip(", "def other_dip(").replace('dip"', 'other_dip"')
    other = other.replace("dipper", "other")

    found = plugins.load(folder(tmp_path, broken=text, fine=other))

    (fault,) = found.faults
    assert fault.startswith("plug-in broken is left out: ")
    assert said in fault
    assert "\n" not in fault
    assert "dipper" not in found.engines
    assert {"other", "scalper"} <= set(found.engines)
    assert [engine.name for engine in plugins.resolve(profile_of(found), found)] == [
        "other",
        "reverter",
        "scalper",
        "trend",
    ]


def test_an_engine_that_nobody_can_run_as_it_is_shipped_stops_no_other_one(tmp_path: Path) -> None:
    """Its evaluator might come with a later plug-in; that none did ended every service."""
    lacking = GOOD.replace('{"dip": E', '{"dop": E')
    found = plugins.load(folder(tmp_path, lacking=lacking))

    resolution = plugins.resolution(profile_of(found), found)

    assert [engine.name for engine in resolution.engines] == ["reverter", "scalper", "trend"]
    (fault,) = resolution.faults
    assert fault.startswith("engine dipper is left out: engine dipper: unknown evaluator 'dop'")


def test_what_a_plug_in_prints_at_its_import_is_in_nobodys_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugins.load(folder(tmp_path, loud=GOOD + "\nprint('hello')"))

    assert capsys.readouterr() == ("", "hello\n")


def test_a_profile_may_still_name_an_engine_of_a_plug_in_that_is_left_out(tmp_path: Path) -> None:
    found = plugins.load(folder(tmp_path, broken=GOOD + "\n1 / 0"))
    profile = profile_of(found, dipper=EngineConfig(cooldown=9))

    resolution = plugins.resolution(profile, found)

    assert "dipper" not in [engine.name for engine in resolution.engines]
    assert resolution.faults[0].startswith("engine dipper is left out: ")


def test_without_a_broken_plug_in_an_unknown_evaluator_stops_the_start(tmp_path: Path) -> None:
    found = plugins.load(tmp_path)
    profile = profile_of(found, mine=EngineConfig(evaluators={"nothing": EvaluatorConfig()}))

    with pytest.raises(ConfigurationError, match="engine mine: unknown evaluator 'nothing'"):
        plugins.resolve(profile, found)


def test_a_profile_can_make_an_engine_out_of_shipped_evaluators(tmp_path: Path) -> None:
    found = plugins.load(tmp_path)
    mine = EngineConfig(granularity="15m", evaluators={"macd_momentum": EvaluatorConfig()})

    engines = plugins.resolve(profile_of(found, mine=mine), found)

    assert [engine.name for engine in engines] == ["mine", "reverter", "scalper", "trend"]


def test_a_disabled_engine_asks_for_nothing(tmp_path: Path) -> None:
    found = plugins.load(tmp_path)
    off = {name: EngineConfig(enabled=False) for name in ("reverter", "scalper")}

    wanted = plugins.wanted(profile_of(found, **off), found)

    assert wanted.granularities == ["1H", "4H"]
    assert [each.key for each in wanted.indicators[Granularity("4H")]] == ["ema_slope(20,1)"]


def test_fifty_engines_over_the_same_candles_ask_ingest_for_no_more(tmp_path: Path) -> None:
    found = plugins.load(tmp_path)
    copies = {f"copy{i}": found.engines["scalper"].config for i in range(50)}

    wanted = plugins.wanted(profile_of(found, **copies), found)

    assert wanted == plugins.wanted(profile_of(found), found)
    assert wanted.granularities == ["5m", "1H", "4H"]


def test_a_pinned_granularity_is_wanted_without_indicators(tmp_path: Path) -> None:
    found = plugins.load(tmp_path)
    profile = Profile(ingest=IngestConfig(pinned=["1D"]))

    assert plugins.wanted(profile, found).indicators == {"1D": []}
    with pytest.raises(ConfigurationError, match=r"ingest\.pinned: unknown granularity '7m'"):
        plugins.wanted(Profile(ingest=IngestConfig(pinned=["7m"])), found)


def test_the_code_hash_changes_with_a_plug_in(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    first = plugins.code_hash(plugins.load(folder(one, mine=GOOD)))
    second = plugins.code_hash(plugins.load(folder(two, mine=GOOD.replace("20.0", "21.0"))))

    assert first != second
    assert first == plugins.code_hash(plugins.load(one))
    assert plugins.code_hash(plugins.load(tmp_path)) not in (first, second)


@pytest.mark.parametrize(
    ("have", "wanted", "holds"),
    [
        ("0.1.0", ">=0.1,<0.2", True),
        ("0.2.0", ">=0.1,<0.2", False),
        ("0.10.0", ">=0.9", True),
        ("1.0", "==1.0.0", True),
        ("1.0", "!=1.0", False),
        ("1.2", ">1.2", False),
        ("1.2", "<=1.2", True),
    ],
)
def test_version_ranges_compare_numbers_and_not_text(have: str, wanted: str, holds: bool) -> None:
    assert plugins.in_range(have, wanted) is holds
