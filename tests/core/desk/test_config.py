"""What is resolved of a profile's desk, and each way in which it can be wrong."""

from decimal import Decimal

import pytest

from chandler.core.desk.config import DeskError, parse
from chandler.core.trading.agents import AccountConfig, AgentConfig, DeskConfig, PaperConfig
from tests.core.desk.scene import MODES, desks

SIMULATED = AccountConfig(on_simulator=True)


def test_paper_shards_come_first_then_the_accounts_by_name():
    shards = desks(
        {
            "anna": AgentConfig(),
            "lisa": AgentConfig(mode="live", account="two"),
            "mona": AgentConfig(mode="live", account="one"),
        },
        accounts={"two": SIMULATED, "one": SIMULATED},
        desk=DeskConfig(shards=2),
    )

    assert [(each.shard, each.kind, each.account) for each in shards] == [
        (0, "paper", ""),
        (1, "paper", ""),
        (2, "live", "one"),
        (3, "live", "two"),
    ]
    assert list(shards[2].agents) == ["mona"]
    assert list(shards[3].agents) == ["lisa"]
    assert shards[3].agents["lisa"].account == "two"
    assert all(each.everyone == {"anna", "lisa", "mona"} for each in shards)


def test_an_agent_more_moves_no_other():
    names = [f"agent{number}" for number in range(20)]
    few = desks({name: AgentConfig() for name in names[:10]}, desk=DeskConfig(shards=4))
    many = desks({name: AgentConfig() for name in names}, desk=DeskConfig(shards=4))

    for before, after in zip(few, many, strict=True):
        assert set(before.agents) <= set(after.agents)


def test_times_are_in_event_time():
    (shard,) = desks({}, pace=60.0, paper=PaperConfig(latency_ms=250, price_age_ms_max=10_000))

    assert shard.latency_ms == 15_000
    assert shard.price_age_ms_max == 600_000
    assert shard.guard.age_ms_max == 1_800_000


def test_the_text_gives_the_same_desk_again():
    (shard,) = desks({"anna": AgentConfig(set={"stop_percent": "2"})}, pace=60.0)

    again = parse(shard.text, MODES)

    assert again == shard
    assert again.hash == shard.hash


def test_the_text_of_other_trading_modes_is_told():
    (shard,) = desks({"anna": AgentConfig()})

    with pytest.raises(DeskError, match="trading modes of this code are others"):
        parse(shard.text.replace('"fixed":"1.0"', '"fixed":"0.9"'), MODES)
    with pytest.raises(DeskError, match="unknown trading mode"):
        parse(shard.text, {})
    with pytest.raises(DeskError, match="no configuration"):
        parse("{}", MODES)


def test_what_decides_changes_the_hash():
    hashes = {
        shard.hash
        for given in (
            {},
            {"pace": 2.0},
            {"paper": PaperConfig(latency_ms=1)},
            {"desk": DeskConfig(guard_age_ms_max=1)},
        )
        for shard in desks({"anna": AgentConfig()}, **given)
    }
    hashes |= {desks({"anna": AgentConfig(leverage=4)})[0].hash}

    assert len(hashes) == 5


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (AgentConfig(engines=["scalpr"]), "unknown engine 'scalpr': the nearest is scalper"),
        (AgentConfig(trading_mode="fixd"), "unknown trading mode 'fixd': the nearest is fixed"),
        (AgentConfig(set={"stop_procent": 1}), "no setting 'stop_procent'"),
        (AgentConfig(mode="live", account="mian"), "unknown account 'mian': the nearest is main"),
        (AgentConfig(mode="live", account="main"), "real money"),
        (AgentConfig(account="main"), "a paper agent has its own account"),
        (AgentConfig(balance=Decimal(0)), "balance is 0: expected above 0"),
        (AgentConfig(balance=Decimal("NaN")), "balance is NaN: expected a number"),
        (AgentConfig(size_percent=Decimal(101)), "size_percent is 101: expected 0 to 100"),
        (AgentConfig(leverage=0), "leverage is 0: expected 1 to 125"),
        (AgentConfig(positions_max=0), "positions_max is 0"),
        (AgentConfig(sides=()), "sides is ()"),
        (AgentConfig(strength_min=1.1), "strength_min is 1.1: expected 0 to 1"),
    ],
)
def test_a_wrong_agent_is_one_line(agent, message):
    with pytest.raises(DeskError) as caught:
        desks({"anna": agent}, accounts={"main": AccountConfig()})

    assert message in str(caught.value)
    assert str(caught.value).startswith("agent anna: ")
    assert "\n" not in str(caught.value)


def test_a_wrong_name_is_one_line():
    with pytest.raises(DeskError, match="expected a name of a-z"):
        desks({"Anna|": AgentConfig()})


def test_real_money_needs_the_profile_to_say_so():
    agents = {"anna": AgentConfig(mode="live", account="main")}

    shards = desks(agents, accounts={"main": AccountConfig()}, live=True)

    assert shards[1].kind == "live"


def test_too_many_shards_are_told():
    with pytest.raises(DeskError, match="at most 8 together"):
        desks({}, desk=DeskConfig(shards=8), accounts={"main": SIMULATED})
    with pytest.raises(DeskError, match="expected 1 or more"):
        desks({}, desk=DeskConfig(shards=0))
