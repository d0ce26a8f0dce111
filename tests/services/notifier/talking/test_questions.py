"""Questions: what each becomes, however it is spelled, and whose figures it shows."""

import pytest

from services.notifier.talk import Query
from tests.services.notifier.talking.scene import NOW, OTTO, RITA, VERA, Chat, taps, words


def asked(topic, **more):
    return Query(topic=topic, user="olga", **more)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("/status", asked("status")),
        ("/agents", asked("agents")),
        ("/positions", asked("positions")),
        ("/positions anna", asked("positions", agent="anna")),
        ("/positions btc", asked("positions", symbol="BTCUSDT")),
        ("/positions btcusdt, ANNA", asked("positions", symbol="BTCUSDT", agent="anna")),
        ("/balance", asked("balance")),
        ("/stats", asked("statistics")),
        ("/stats today", asked("statistics", period="day")),
        ("/stats all by symbol", asked("statistics", period="all", by="symbol")),
        (
            "/stats anna by Engine WEEK",
            asked("statistics", period="week", by="engine", agent="anna"),
        ),
        ("/orders 5 sol", asked("orders", symbol="SOLUSDT", count=5)),
        ("/refusals scalper", asked("refusals", agent="scalper")),
        ("/why 3kQ7x2", asked("why", order="3kQ7x2")),
        ("/signals trend BTC/USDT", asked("signals", engine="trend", symbol="BTCUSDT")),
        ("/market", asked("market")),
        ("/chart BTC-USDT:USDT 4h", asked("candles", symbol="BTCUSDT", granularity="4H")),
        ("/chart 1h 1inch", asked("candles", symbol="1INCHUSDT", granularity="1H")),
        ("/logs pump-guard 50", asked("logs", service="pump_guard", count=50)),
        ("/logs trading 50", asked("logs", service="trading", count=50)),
        ("/crashes", asked("crashes")),
        ("/crashes Ingest", asked("crashes", service="ingest")),
        ("/digest", asked("digest")),
        ("  /STATUS@chandler_bot  ", asked("status")),
        ("status", asked("status")),
    ],
)
def test_a_question_becomes_a_query(text, query):
    assert Chat().query(text) == query


def test_a_question_is_answered_however_old_it_is():
    assert Chat().says("/status", at=NOW - 86_400_000).query == asked("status")


@pytest.mark.parametrize(
    ("user_id", "agents"), [(OTTO, []), (RITA, ["anna", "scalper", "gone"]), (VERA, ["anna"])]
)
def test_only_the_agents_of_who_asks_are_shown(user_id, agents):
    assert Chat(user_id).query("/positions").agents == agents


def test_a_viewer_without_agents_is_never_shown_all_of_them():
    """An empty list of agents means all."""
    chat = Chat(VERA)
    user = chat.talking.users["vera"]
    users = {"vera": type(user)(role="viewer", telegram_id=VERA)}
    chat = Chat(VERA, users=users)

    assert chat.says("/positions").query is None
    assert "you see no agent" in words(chat.says("/status"))
    assert chat.says("/market").query is not None
    assert Chat(VERA, users=users, agents=()).says("/status").query is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/positions btx", "'btx' is no agent and no symbol: the nearest is BTCUSDT"),
        ("/positions scalpr", "the nearest is scalper"),
        ("/positions ETH", "'ETH' fits ETHUSDT, ETHUSDC: name one of them"),
        ("/positions btc sol", "'sol' is one symbol too many: expected one, found BTCUSDT"),
        ("/why", "expected an order, found none"),
        ("/why ../../x", "'../../x' is no order"),
        ("/chart", "expected a symbol, found none"),
        ("/chart btc 2h", "'2h' is no granularity ("),
        ("/logs", "expected a service, found none"),
        ("/logs ingest 0", "the count is '0': expected 1 to 200"),
        ("/logs ingest 99999999999999999", "expected 1 to 200"),
        ("/logs ingets", "the nearest is ingest"),
        ("/stats by", "by nothing: expected by engine"),
        ("/stats by coin", "by 'coin': expected by engine"),
        ("/stats year", "'year' is no period"),
        ("/market now", "'now' is too much: expected nothing after the command"),
        ("/status " + "x " * 50, "found 50 words"),
    ],
)
def test_what_is_not_understood_is_said_with_what_is_expected_and_an_example(text, says):
    decided = Chat().says(text)

    assert decided.query is None
    assert says in words(decided)
    assert f"Expected: {text.split()[0]}" in words(decided)
    assert f"Example: {text.split()[0]}" in words(decided)


def test_no_symbol_is_refused_while_none_is_known():
    chat = Chat(symbols=frozenset())

    assert chat.query("/positions foo/usdt").symbol == "FOOUSDT"
    assert chat.query("/orders 10 foo").count == 10
    assert "is no agent" in words(chat.says("/positions <b>"))


def test_a_bare_question_offers_what_may_follow():
    decided = Chat().says("/logs")

    assert list(taps(decided).values()) == [
        "/logs trading",
        "/logs telegram",
        "/logs ingest",
        "/logs pump_guard",
        "/logs executor",
    ]
