"""Agents, their trading modes and plug-ins that bring some."""

import tomllib

import msgspec
import pytest

from chandler.core.trading.agents import AccountConfig, AgentConfig
from services import plugins
from services.desks import desks
from services.layers import ConfigurationError
from services.profile import Profile
from tests.project.tree import ROOT

MODE = """
import msgspec

from chandler.core.trading.modes import Leg, TradingMode

CHANDLER_CORE = ">=0.1,<0.2"


class Config(msgspec.Struct, frozen=True, kw_only=True{strict}):
    patience: int = 1


def plan(settings, cause, view):
    return (Leg(action="open", leg="entry"),)


def watch(settings, held, prices):
    return held, None


patient = TradingMode(
    name="{name}", version="1.0", doc="Waits.", config=Config, plan=plan, watch=watch
)
"""


def write(folder, name="patient", strict=", forbid_unknown_fields=True"):
    (folder / f"{name}_file.py").write_text(MODE.format(name=name, strict=strict))


def test_the_shipped_modes_are_there():
    assert set(plugins.load().modes) >= {"fixed", "dca", "trailing"}


def test_a_file_in_plugins_brings_a_trading_mode(tmp_path):
    write(tmp_path)

    loaded = plugins.load(tmp_path)
    profile = Profile(agents={"anna": AgentConfig(trading_mode="patient", set={"patience": 3})})
    (shard,) = desks(profile, loaded)

    assert loaded.faults == []
    assert shard.agents["anna"].settings.patience == 3


def test_the_example_in_the_documents_can_be_used(tmp_path):
    text = (ROOT / "docs" / "trading-modes.md").read_text()
    (tmp_path / "hour.py").write_text(text.partition("```python\n")[2].partition("```")[0])

    loaded = plugins.load(tmp_path)
    profile = Profile(agents={"anna": AgentConfig(trading_mode="hour", set={"minutes": 5})})

    assert loaded.faults == []
    assert desks(profile, loaded)[0].agents["anna"].settings.minutes == 5


def test_the_settings_in_the_documents_are_there():
    text = (ROOT / "docs" / "trading-modes.md").read_text()
    agents = tomllib.loads(text.partition("```toml\n")[2].partition("```")[0])

    assert desks(msgspec.convert(agents, Profile))[0].agents["anna"].mode.name == "trailing"


def test_a_mode_that_takes_any_setting_is_left_out(tmp_path):
    write(tmp_path, strict="")

    (fault,) = plugins.load(tmp_path).faults

    assert "trading mode patient: write class Config" in fault
    assert "forbid_unknown_fields=True" in fault


def test_two_modes_of_one_name_are_told(tmp_path):
    write(tmp_path, name="fixed")

    (fault,) = plugins.load(tmp_path).faults

    assert "another plug-in has a trading mode 'fixed' too" in fault


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        (AgentConfig(set={"stop_precent": 1}), "agent anna: .*nearest: stop_percent"),
        (AgentConfig(trading_mode="fixd"), "agent anna: unknown trading mode 'fixd'.* fixed"),
        (AgentConfig(mode="live", account="man"), "agent anna: unknown account 'man'.* main"),
    ],
)
def test_an_agent_that_can_not_be_is_one_line(agent, said):
    profile = Profile(agents={"anna": agent}, accounts={"main": AccountConfig(demo=True)})

    with pytest.raises(ConfigurationError, match=said) as caught:
        desks(profile)

    assert "\n" not in str(caught.value)


def test_a_paper_agent_is_not_called_like_an_account():
    profile = Profile(agents={"main": AgentConfig()}, accounts={"main": AccountConfig(demo=True)})

    with pytest.raises(ConfigurationError, match="agent main: an account is called main too"):
        desks(profile)
