"""`setup` with options: what a program can run, what it writes, and what it never shows."""

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chandler.exchanges.bitget.trade.keys import load_keys
from chandler.streams.settings import installation
from services.cli.app import main
from services.cli.setup import writing
from services.exits import FAILED, MISCONFIGURED, WELL
from services.loading import configuration
from services.notifier.token import token_of
from services.profile import Profile
from services.telegram_stand_in.server import StandIn
from tests.services.setup.conftest import ANN, NEW, TOKEN, Place

ANN_OWNS = ("--user", "ann", "--telegram-id", str(ANN.user_id))
KEYS = 'key = "bg_4711"\nsecret = "the-secret-of-the-account"\npassphrase = "passing-phrase"\n'
LIVE = """
extends = "paper"
mode = "live"
[agents.trader]
mode = "live"
account = "main"
[accounts.main]
"""


def texts(stand_in: StandIn) -> list[str]:
    """What the bot has written to Ann."""
    return [
        str(each.content["text"])
        for each in stand_in.bots[TOKEN].chats[ANN.user_id].messages.values()
    ]


def own(place: Place, name: str = "own") -> Profile:
    return configuration(
        installation({"CHANDLER_DATA": str(place.data), "CHANDLER_PROFILE": name}), {}
    ).profile


def toml(place: Place, name: str) -> dict[str, Any]:
    return tomllib.loads((place.data / name).read_text())


async def test_everything_can_be_given_by_options(
    place: Place, stand_in: StandIn, token_file: Path
) -> None:
    said = await place.setup(
        "--profile", "demo", "--symbols", "btcusdt, ETHUSDT", "--engines", "scalper",
        "--balance", "2500.5", "--telegram", "bot", "--token-file", str(token_file),
        "--user", "you", "--telegram-id", str(ANN.user_id), "--role", "owner",
    )  # fmt: skip
    found = own(place)

    assert said.status == WELL, said.err
    assert said.report["bot"] == "wheel_bot"
    assert said.report["message"] == "sent"
    assert said.report["checked"] is True
    assert [each for each in texts(stand_in) if "you are you, owner" in each]
    assert found.ingest.symbols == ["BTCUSDT", "ETHUSDT"]
    assert [name for name, each in found.engines.items() if each.enabled] == ["scalper"]
    assert {str(each.balance) for each in found.agents.values() if each.enabled} == {
        "2500.5",
        "10000",
    }, "the venue's agent has what its account has"
    assert (found.users["you"].telegram_id, found.users["you"].role) == (ANN.user_id, "owner")
    assert token_of(installation({"CHANDLER_DATA": str(place.data)}), found, {}) == TOKEN


async def test_no_file_but_the_secret_ones_holds_a_secret_and_they_are_private(
    place: Place, token_file: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "given-keys.toml"
    keys.write_text(KEYS)
    (place.data / "profiles").mkdir(parents=True)
    (place.data / "profiles" / "ground.toml").write_text(LIVE)

    said = await place.setup(
        "--profile", "ground", "--token-file", str(token_file), *ANN_OWNS,
        "--keys-file", f"main={keys}",
    )  # fmt: skip
    loaded = load_keys("main", place.data, {})

    assert said.status == WELL, said.err
    assert place.holders(TOKEN.partition(":")[2]) == ["telegram.token"]
    assert place.holders("the-secret-of-the-account") == ["keys/main.toml"]
    assert place.holders("passing-phrase") == ["keys/main.toml"]
    assert (loaded.key, loaded.passphrase) == ("bg_4711", "passing-phrase")
    modes = place.files()
    written = ("telegram.token", "keys/main.toml", "config.toml", "profiles/own.toml")
    assert {modes[name] for name in written} == {0o600}
    assert stat.S_IMODE((place.data / "keys").stat().st_mode) == 0o700
    assert TOKEN not in repr(said)
    assert "the-secret-of-the-account" not in repr(said)


async def test_a_secret_may_come_from_the_environment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.data / "profiles").mkdir(parents=True)
    (place.data / "profiles" / "ground.toml").write_text(LIVE)
    monkeypatch.setenv("CHANDLER_TELEGRAM_TOKEN", TOKEN)
    monkeypatch.setenv("CHANDLER_KEYS_MAIN", "bg_1:s3cret-of-the-environment:p4ss")

    said = await place.setup("--profile", "ground", *ANN_OWNS)

    assert said.status == WELL, said.err
    assert place.holders(TOKEN) == ["telegram.token"]
    assert place.holders("s3cret-of-the-environment") == ["keys/main.toml"]


async def test_a_shared_profile_names_nobody(place: Place, token_file: Path) -> None:
    """Its users would command whoever takes it over."""
    await place.setup("--profile", "paper", "--token-file", str(token_file), *ANN_OWNS)

    assert "users" not in toml(place, "profiles/own.toml")
    assert toml(place, "config.toml")["users"]["ann"]["telegram_id"] == ANN.user_id


async def test_a_second_run_keeps_what_is_there_and_changes_what_is_asked_for(
    place: Place, token_file: Path
) -> None:
    await place.setup(
        "--profile", "paper", "--symbols", "12", "--token-file", str(token_file), *ANN_OWNS
    )
    first = {name: (place.data / name).read_text() for name in place.files()}

    again = await place.setup()
    same = {name: (place.data / name).read_text() for name in place.files()}
    changed = await place.setup("--symbols", "13")

    assert again.status == WELL, again.err
    assert again.report["written"] == []
    assert again.report["message"] == "sent"
    assert same == first
    assert changed.report["written"] == [str(place.data / "profiles" / "own.toml")]
    assert own(place).ingest.top == 13
    assert "profiles/own.toml.before" not in place.files(), "nobody had written in it"
    assert toml(place, "profiles/own.toml")["extends"] == "paper"


async def test_what_a_person_added_to_the_profile_stays_and_its_comments_are_kept_beside(
    place: Place,
) -> None:
    await place.setup("--profile", "paper")
    file = place.data / "profiles" / "own.toml"
    file.write_text(file.read_text() + "[ledger]\nurl = 'postgresql://h/n' # ours\n")

    said = await place.setup("--symbols", "7")

    assert said.status == WELL, said.err
    assert own(place).ledger.url == "postgresql://h/n"
    assert own(place).ingest.top == 7
    assert "# ours" in (place.data / "profiles" / "own.toml.before").read_text()


async def test_another_token_is_not_put_over_one_that_is_there_unasked(
    place: Place, stand_in: StandIn, token_file: Path, tmp_path: Path
) -> None:
    other = TOKEN.replace("4711", "4712")
    await place.setup("--profile", "paper", "--token-file", str(token_file))
    (tmp_path / "other").write_text(other)
    async with StandIn(bots={other: "other_bot"}) as elsewhere:
        unasked = await place.setup(
            "--api-url", elsewhere.url, "--token-file", str(tmp_path / "other")
        )
        kept = place.holders(TOKEN)
        asked = await place.setup(
            "--api-url", elsewhere.url, "--token-file", str(tmp_path / "other"), "--replace"
        )

    assert unasked.status == MISCONFIGURED
    assert "--replace" in unasked.err
    assert kept == ["telegram.token"]
    assert asked.status == WELL, asked.err
    assert place.holders(other) == ["telegram.token"]
    assert place.holders(TOKEN) == []


async def test_a_token_that_the_server_does_not_know_is_not_written(
    place: Place, tmp_path: Path
) -> None:
    wrong = TOKEN.replace("wheel", "wrong")
    (tmp_path / "wrong").write_text(wrong)

    said = await place.setup("--profile", "paper", "--token-file", str(tmp_path / "wrong"))

    assert said.status == MISCONFIGURED
    assert "does not know this token" in said.err
    assert wrong not in said.err
    assert place.files() == {}


async def test_a_token_does_not_follow_a_redirect(
    place: Place, stand_in: StandIn, token_file: Path
) -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(stand_in.url + request.path)

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"

    said = await place.setup(
        "--profile", "paper", "--api-url", url, "--token-file", str(token_file)
    )
    await runner.cleanup()

    assert said.report["bot"] == ""
    assert "no Bot API server (HTTP 307)" in said.err
    assert stand_in.state()["counts"] == {}


async def test_who_has_not_written_to_the_bot_is_told_to(place: Place, token_file: Path) -> None:
    said = await place.setup(
        "--profile", "paper", "--token-file", str(token_file),
        "--user", "ben", "--telegram-id", str(NEW),
    )  # fmt: skip

    assert said.status == FAILED
    assert said.report["message"] == "not sent: write /start to @wheel_bot first: it may not begin"
    assert "telegram.token" in place.files(), "all the rest is done"


async def test_no_message_is_sent_where_none_is_wished(
    place: Place, stand_in: StandIn, token_file: Path
) -> None:
    said = await place.setup(
        "--profile", "paper", "--token-file", str(token_file), *ANN_OWNS, "--no-message"
    )

    assert said.status == WELL
    assert texts(stand_in) == []


async def test_users_of_a_stand_in_may_not_command_a_real_bot(
    place: Place, token_file: Path
) -> None:
    """Telegram has given their numbers to somebody."""
    (place.data / "profiles").mkdir(parents=True)
    (place.data / "profiles" / "play.toml").write_text(
        'extends = "demo"\n[telegram]\nstand_in = true\n'
        '[users.you]\nrole = "owner"\ntelegram_id = 1\n'
    )
    line = ("--profile", "play", "--telegram", "bot", "--token-file", str(token_file))

    other = await place.setup(*line, *ANN_OWNS)
    files = place.files()
    named = await place.setup(*line, "--user", "you", "--telegram-id", str(ANN.user_id))

    assert other.status == MISCONFIGURED
    assert "you for its stand-in" in other.err
    assert list(files) == ["profiles/play.toml"]
    assert named.status == WELL, named.err
    assert {each.telegram_id for each in own(place).users.values()} == {ANN.user_id}
    assert own(place).telegram.stand_in is False


async def test_a_user_may_be_named_before_there_is_a_token(place: Place) -> None:
    said = await place.setup("--profile", "paper", *ANN_OWNS, "--role", "operator")

    assert said.status == WELL, said.err
    assert "nobody is told anything" in said.err
    assert own(place).users["ann"].role == "operator"


async def test_the_simulators_topics_are_not_silently_mixed_with_a_real_venues(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.data / "kafka" / "records").mkdir(parents=True)

    status = main(["setup", "--yes", "--profile", "paper", "--symbols", "5"])

    assert status == WELL
    assert "don't mix" in capsys.readouterr().out


async def test_the_stand_in_needs_neither_token_nor_user(place: Place) -> None:
    (place.data / "profiles").mkdir(parents=True)
    (place.data / "profiles" / "play.toml").write_text(
        'extends = "demo"\n[telegram]\nstand_in = true\n'
    )

    said = await place.setup("--profile", "play", "--symbols", "20")

    assert said.status == WELL, said.err
    assert own(place).telegram.stand_in is True
    assert set(place.files()) == {"profiles/own.toml", "profiles/play.toml"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--profile", "dmo"], "nearest: demo"),
        (["--name", "demo"], "shipped profile"),
        (["--name", "../x"], "expected up to 32"),
        (["--symbols", "0"], "1 to 2000"),
        (["--symbols", "BTC-USDT"], "no symbol"),
        (["--engines", "scalpr"], "nearest: scalper"),
        (["--engines", ","], "at least one"),
        (["--balance", "-1"], "above 0"),
        (["--balance", "NaN"], "above 0"),
        (["--telegram", "bird"], "expected one of"),
        (["--telegram", "bot", "--user", "ann", "--telegram-id", "@ann"], "person's number"),
        (["--telegram", "bot", "--user", "Ann B"], "expected up to 32"),
        (["--telegram", "bot", *ANN_OWNS, "--role", "king"], "viewer, operator, owner"),
        (
            ["--profile", "paper", "--telegram", "none", *ANN_OWNS],
            "neither a user nor a token",
        ),
        (["--telegram", "stand-in", "--profile", "paper"], "expected one of bot, none"),
        (["--profile", "paper", "--alerts-only", "--balance", "5"], "no enabled agent"),
        (["--keys-file", "main"], "ACCOUNT=FILE"),
        (["--keys-file", "main=keys.toml"], "no live agent trades on it"),
        (["--telegram", "bot", "--token-file", "nowhere"], "can't be read"),
    ],
)
async def test_an_answer_that_can_not_be_used_is_one_line_and_nothing_is_written(
    place: Place, words: list[str], expected: str
) -> None:
    said = await place.setup(*words)

    assert said.status == MISCONFIGURED
    assert expected in said.err.splitlines()[-1]
    assert place.files() == {}


async def test_what_up_would_refuse_is_not_left_behind(place: Place, token_file: Path) -> None:
    """A second user with the same number at Telegram."""
    await place.setup("--profile", "paper", "--token-file", str(token_file), *ANN_OWNS)
    before = {name: (place.data / name).read_bytes() for name in place.files()}

    said = await place.setup("--user", "ben", "--telegram-id", str(ANN.user_id), "--symbols", "9")

    assert said.status == MISCONFIGURED
    assert "one user for each id" in said.err
    assert {name: (place.data / name).read_bytes() for name in place.files()} == before


def test_an_end_in_the_middle_of_writing_leaves_every_file_as_it_was(tmp_path: Path) -> None:
    old, new = tmp_path / "old.toml", tmp_path / "keys" / "new.toml"
    old.write_text("a = 1\n")

    def ends() -> None:
        assert new.read_text() == "b = 2\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writing.write({old: "a = 2\n", new: "b = 2\n"}, ends)

    assert old.read_text() == "a = 1\n"
    assert not new.exists()
    assert [path.name for path in tmp_path.rglob("*.new")] == []


def test_without_a_terminal_and_without_yes_it_says_so(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open("/dev/null") as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        status = main(["setup"])

    assert status == MISCONFIGURED
    assert "--yes" in capsys.readouterr().err
