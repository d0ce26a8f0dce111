"""Profiles: three layers, unknown keys, values out of bounds, and where each value comes from."""

import json
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.streams.settings import Installation, installation
from services.cli.config import to_toml
from services.cli.running import flags
from services.layers import ConfigurationError, merge, parse_value, read, root, winner
from services.loading import configuration
from services.topology import http_port, services_of, workers_of


def made(data: Path, name: str = "own", **more: str) -> Installation:
    return installation({"CHANDLER_DATA": str(data), "CHANDLER_PROFILE": name, **more})


def profile(data: Path, text: str, name: str = "own") -> Installation:
    folder = data / "profiles"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text(text)
    return made(data, name)


SIMULATED = "[simulator]\nspeed = 60\n"


@pytest.mark.parametrize("name", sorted(path.stem for path in (root() / "profiles").glob("*.toml")))
def test_every_shipped_profile_can_be_used(tmp_path: Path, name: str) -> None:
    here = made(tmp_path, name)

    assert configuration(here, {}).profile.name == name


def test_the_demo_has_a_simulator_and_paper_has_the_real_venue(tmp_path: Path) -> None:
    demo = configuration(made(tmp_path, "demo"), {}).profile
    paper = configuration(made(tmp_path, "paper"), {}).profile

    assert demo.simulator is not None
    assert paper.simulator is None
    assert paper.venue.rest_url.startswith("https://")
    assert "simulator" not in services_of(paper)


def test_a_profile_extends_another_and_the_installation_wins(tmp_path: Path) -> None:
    profile(tmp_path, SIMULATED + "symbols = 7\nseed = 3\n", "ground")
    here = profile(tmp_path, 'extends = "ground"\n[simulator]\nsymbols = 8\n')
    (tmp_path / "config.toml").write_text("[simulator]\nspeed = 30\n")

    found, layers = configuration(here, {})

    assert found.simulator is not None
    assert (found.simulator.seed, found.simulator.symbols, found.simulator.speed) == (3, 8, 30)
    speed, seed = winner(layers, "simulator.speed"), winner(layers, "simulator.seed")
    assert speed is not None
    assert seed is not None
    assert (speed.name, speed.source) == ("installation", str(tmp_path / "config.toml"))
    assert (seed.name, seed.source) == ("profile", str(tmp_path / "profiles" / "ground.toml"))


def test_a_variable_is_stronger_than_the_installations_file(tmp_path: Path) -> None:
    here = profile(tmp_path, SIMULATED)
    (tmp_path / "config.toml").write_text("[simulator]\nspeed = 30\n")

    found = configuration(here, {"CHANDLER_SET_simulator__speed": "90"}).profile

    assert found.simulator is not None
    assert found.simulator.speed == 90


def test_what_a_plug_in_ships_is_the_weakest_layer(tmp_path: Path) -> None:
    here = profile(tmp_path, SIMULATED + "[engines.scalper]\ncooldown = 77\n")

    found, layers = configuration(here, {})

    assert found.engines["scalper"].cooldown == 77
    assert found.engines["scalper"].evaluators
    granularity = winner(layers, "engines.scalper.granularity")
    assert granularity is not None
    assert granularity.name == "plug-ins"


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ("[simulator]\nsped = 3\n", "simulator.sped", "simulator.speed"),
        ("[ingst]\ntop = 3\n", "ingst", "ingest"),
        ("[engines.mine]\ncoldown = 3\n", "engines.mine.coldown", "engines.mine.cooldown"),
        (
            "[engines.mine.evaluators.dip]\nweihgt = 3\n",
            "engines.mine.evaluators.dip.weihgt",
            "engines.mine.evaluators.dip.weight",
        ),
    ],
)
def test_an_unknown_key_stops_the_start(tmp_path: Path, text: str, key: str, near: str) -> None:
    here = profile(tmp_path, text)

    with pytest.raises(ConfigurationError) as caught:
        configuration(here, {})

    line = str(caught.value)
    assert f"unknown key {key} (nearest: {near})" in line
    assert str(tmp_path / "profiles" / "own.toml") in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[simulator]\nspeed = "fast"\n', "simulator.speed: expected `float`, got `str`"),
        ("[simulator]\nspeed = 0\n", "simulator.speed is 0.0: expected 1 to 3600"),
        ("[simulator\n", "is no TOML"),
        ('mode = "dry"\n', "mode"),
        ("[simulator]\n[scale]\nindicators = 99\n", "scale.indicators is 99: expected 1 to 8"),
        ("[simulator]\n[scale]\nindicator = 2\n", "scale.indicator: no such service"),
        ("[simulator]\n[scale]\nrecorder = 2\n", "several: indicators, signals"),
        ("", "has no [simulator] and doesn't name venue.rest_url"),
        ('extends = "own"\n', "is there a circle?"),
        ('extends = "nowhere"\n', "profile 'nowhere' is unknown"),
    ],
)
def test_what_cannot_be_used_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    here = profile(tmp_path, text)

    with pytest.raises(ConfigurationError) as caught:
        configuration(here, {})

    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_profile_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'dmo' is unknown \(nearest: demo\).*paper"):
        read(made(tmp_path, "dmo"), {}, {})


def test_a_topic_prefix_and_live_money_do_not_go_together(tmp_path: Path) -> None:
    profile(tmp_path, 'mode = "live"\n' + SIMULATED)

    with pytest.raises(ConfigurationError, match="with a prefix only paper money starts"):
        configuration(made(tmp_path, CHANDLER_TOPIC_PREFIX="try."), {})


def test_flags_are_the_strongest_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = profile(tmp_path, SIMULATED)
    monkeypatch.delenv("CHANDLER_FLAGS_FILE", raising=False)
    values = flags.layer(
        speed=600, symbols="12", candles=None, faults="cut=20s", seed=5, scale=["indicators=3"]
    )

    found = flags.apply(here, values).profile
    monkeypatch.delenv("CHANDLER_FLAGS_FILE")

    assert found.simulator is not None
    assert (found.simulator.speed, found.simulator.symbols, found.ingest.top) == (600, 12, 12)
    assert (found.simulator.faults, found.simulator.seed) == ("cut=20s", 5)
    assert [w.name for w in workers_of(found) if w.service == "indicators"] == [
        "indicators",
        "indicators-1",
        "indicators-2",
    ]
    assert json.loads((tmp_path / "flags.json").read_text()) == values


def test_flags_of_a_simulator_need_one(tmp_path: Path) -> None:
    values = flags.layer(speed=600, symbols="", candles=None, faults="", seed=None, scale=[])

    with pytest.raises(ConfigurationError, match="has no simulator: --speed can't be used"):
        flags.apply(made(tmp_path, "paper"), values)


def test_the_workers_of_all_services_have_ports_of_their_own(tmp_path: Path) -> None:
    here = made(tmp_path, "demo")
    profile = configuration(here, {}).profile
    scale = dict.fromkeys(services_of(profile), 8)

    workers = workers_of(msgspec.structs.replace(profile, scale=scale))
    ports = [http_port(here, worker) for worker in workers]

    assert len(set(ports)) == len(workers) == 8 * len(scale)


SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
TABLES = st.recursive(
    st.dictionaries(KEYS, SCALARS | st.lists(st.integers(0, 9)), max_size=4),
    lambda inner: st.dictionaries(KEYS, SCALARS | inner, max_size=4),
    max_leaves=8,
)


def without_empty(values: dict[str, Any]) -> dict[str, Any]:
    inner = {k: without_empty(v) if isinstance(v, dict) else v for k, v in values.items()}
    return {key: value for key, value in inner.items() if value != {}}


@given(TABLES)
def test_what_is_written_as_toml_reads_the_same(values: dict[str, Any]) -> None:
    assert without_empty(tomllib.loads(to_toml(values))) == without_empty(values)


@given(TABLES, TABLES)
def test_the_upper_layer_wins_and_the_lower_is_not_changed(
    below: dict[str, Any], above: dict[str, Any]
) -> None:
    before = json.dumps(below)
    merged = merge(below, above)

    assert merge(merged, above) == merged
    assert set(merged) == set(below) | set(above)
    assert json.dumps(below) == before


def test_a_value_is_toml_or_else_text() -> None:
    assert parse_value("12") == 12
    assert parse_value('["5m", "1H"]') == ["5m", "1H"]
    assert parse_value("cut=20s,drop=5%") == "cut=20s,drop=5%"
    assert parse_value("true") is True
