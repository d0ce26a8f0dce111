"""What costs money or closes: always asked back in full words."""

from decimal import Decimal

import pytest

from tests.services.notifier.talking.scene import NOW, OLGA, OTTO, RITA, Chat, taps, words
from tests.services.notifier.talking.test_switches import made

D = Decimal


@pytest.mark.parametrize(
    ("text", "question", "command"),
    [
        (
            "/buy btc 100 scalper",
            "Buy (open long) BTCUSDT for 100 USDT, agents: scalper?",
            {"what": "force", "side": "long", "symbol": "BTCUSDT", "notional": D(100),
             "agent": "scalper"},
        ),
        (
            "/sell scalper ETHUSDC, 12.50",
            "Sell (open short) ETHUSDC for 12.5 USDC, agents: scalper?",
            {"what": "force", "side": "short", "symbol": "ETHUSDC", "notional": D("12.5"),
             "agent": "scalper"},
        ),
        (
            "buy 4 4",
            "Buy (open long) 4USDT for 4 USDT each, agents: all (anna, hidden, scalper)?",
            {"what": "force", "side": "long", "symbol": "4USDT", "notional": D(4)},
        ),
        (
            "/sell sol",
            "Sell (open short) SOLUSDT in the usual size, agents: all (anna, hidden, scalper)?",
            {"what": "force", "side": "short", "symbol": "SOLUSDT"},
        ),
        (
            "/close SOL anna",
            "Close SOLUSDT, agents: anna?",
            {"what": "close", "symbol": "SOLUSDT", "agent": "anna"},
        ),
        (
            "/close anna",
            "Close all positions, agents: anna?",
            {"what": "close", "agent": "anna"},
        ),
        (
            "/closeall",
            "Close all positions, agents: all (anna, hidden, scalper)?",
            {"what": "close_all"},
        ),
        (
            "/limit anna positions_max 5",
            "Set positions_max (positions at once) to 5, agents: anna?",
            {"what": "limit", "agent": "anna", "limit": "positions_max", "value": D(5)},
        ),
        (
            "/limit Positions-Max anna DEFAULT",
            "Set positions_max (positions at once) back to the profile's, agents: anna?",
            {"what": "limit", "agent": "anna", "limit": "positions_max"},
        ),
        (
            "/limit anna strength_min 0.35",
            "Set strength_min (least strength of a signal) to 0.35, agents: anna?",
            {"what": "limit", "agent": "anna", "limit": "strength_min", "value": D("0.35")},
        ),
    ],
)  # fmt: skip
def test_it_is_asked_back_in_full_words_and_made_when_confirmed(text, question, command):
    chat = Chat()
    decided = chat.says(text)

    assert words(decided).splitlines()[0] == question
    assert not decided.commands
    chat.now += 59_999
    (given,) = chat.taps(taps(decided)["Confirm"]).commands
    assert made(given) == {"on": True, **command}
    assert given.expires_ms == NOW + 59_999 + 60_000


@pytest.mark.parametrize(
    "amount",
    ["0", "0.00", "-1", "1e30", "NaN", "inf", "1,5", "10k", "$5", "5%", "1" * 13, "0.000000001",
     ".5", "5.", "1'000", "+5"],
)  # fmt: skip
def test_an_amount_that_is_none_is_refused_with_what_is_expected(amount):
    chat = Chat()
    decided = chat.says(f"/buy BTCUSDT {amount} scalper")

    assert not chat.talks.pending
    assert "the notional is '" in words(decided)
    assert "expected" in words(decided).splitlines()[0]
    assert "Example: /buy BTCUSDT 100 anna" in words(decided)


@pytest.mark.parametrize("value", ["-1", "1001", "2.5", "NaN", "1e30", "1,5", "10k", "many"])
def test_a_limit_outside_its_bounds_is_refused_with_the_bounds(value):
    chat = Chat()
    decided = chat.says(f"/limit anna positions_max {value}")

    assert not chat.talks.pending
    assert (
        f"positions_max is '{value}': expected a whole number from 0 to 1000, or default"
        in words(decided)
    )


def test_a_limit_may_have_a_least_value_above_nothing():
    chat = Chat()

    assert "expected a whole number from 1 to 125" in words(chat.says("/limit anna leverage 0"))
    assert chat.confirms("/limit anna leverage 1").commands


def test_an_amount_is_no_symbol_while_none_is_known():
    chat = Chat(symbols=frozenset())

    (command,) = chat.confirms("/buy 100 foousdt anna").commands
    assert (command.symbol, command.notional) == ("FOOUSDT", D(100))
    assert "the notional is '10k'" in words(chat.says("/buy foousdt 10k"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/buy", "expected a symbol, found none"),
        ("/buy 100", "expected a symbol, found none"),
        ("/buy btcc 100", "the nearest is BTCUSDT"),
        ("/buy btc 100 200", "'200' is one amount too many"),
        ("/buy btc 100 nobody", "'nobody' is no agent: there are anna, hidden, scalper"),
        ("/buy nobody 100 btc", "'nobody' is no agent: there are anna, hidden, scalper"),
        ("/buy btc ana 100", "'ana' is no agent: the nearest is anna; there are anna, hidden"),
        ("/buy btd 100 anna", "'btd' is no symbol: the nearest is BTCUSDT"),
        ("/close", "expected a symbol or an agent, found none"),
        ("/close all", "expected a symbol or an agent"),
        ("/closeall btc", "'btc' is no agent"),
        ("/limit", "expected an agent, found none"),
        ("/limit anna", "expected a limit, found none: there are "),
        ("/limit anna position_max 5", "expected a limit, found 'position_max': the nearest is"),
        ("/limit anna lev 3", "found 'lev': the nearest is leverage"),
        ("/limit an positions_max 5", "expected an agent, found 'an'"),
        ("/limit anna positions_max", "expected one value for positions_max, found none"),
        ("/limit anna positions_max 5 6", "found '5 6'"),
    ],
)
def test_what_is_not_clear_is_not_asked_back(text, says):
    chat = Chat()
    decided = chat.says(text)

    assert not chat.talks.pending
    assert says in words(decided)


def test_an_operator_with_agents_closes_exactly_theirs():
    chat = Chat(RITA)
    decided = chat.says("/closeall")

    assert words(decided).startswith("Close all positions, agents: anna, scalper?")
    given = chat.taps(taps(decided)["Confirm"]).commands
    assert [(each.what, each.agent) for each in given] == [
        ("close_all", "anna"),
        ("close_all", "scalper"),
    ]


@pytest.mark.parametrize("user_id", [OTTO, RITA])
@pytest.mark.parametrize("text", ["/buy btc 100", "/sell btc", "/limit anna leverage 2"])
def test_only_an_owner_opens_by_hand_and_sets_limits(user_id, text):
    chat = Chat(user_id)
    decided = chat.says(text)

    assert not chat.talks.pending
    assert "needs an owner: you are operator" in words(decided)
    assert Chat(OLGA).says(text).talks.pending
