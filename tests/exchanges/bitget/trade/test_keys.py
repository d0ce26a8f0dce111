"""Keys come from the environment or a private file, and are shown to nobody."""

import copy
import pickle
from pathlib import Path

import msgspec
import pytest

from chandler.core.trading.agents import AccountConfig
from chandler.core.trading.broker import AccountAwaited, AccountError
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.bitget.trade.broker import bitget_broker
from chandler.exchanges.bitget.trade.keys import Keys, keys_there, load_keys

TOML = 'key = "k-1"\nsecret = "s-1"\npassphrase = "p:1"\n'


def stored(data: Path, text: str = TOML, mode: int = 0o600) -> Path:
    file = data / "keys" / "main.toml"
    file.parent.mkdir()
    file.write_text(text)
    file.chmod(mode)
    return file


def test_keys_come_from_a_file_that_its_owner_alone_reads(tmp_path: Path):
    stored(tmp_path)

    keys = load_keys("main", tmp_path, {})

    assert (keys.key, keys.secret, keys.passphrase) == ("k-1", "s-1", "p:1")


def test_keys_that_a_platform_mounts_have_the_mode_that_it_gives_them(tmp_path: Path):
    file = stored(tmp_path, mode=0o440)

    keys = load_keys("main", tmp_path / "data", {"CHANDLER_MOUNTED_KEYS": str(file.parent)})

    assert (keys.key, keys.secret, keys.passphrase) == ("k-1", "s-1", "p:1")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_file_that_others_may_read_is_refused_in_one_line(tmp_path: Path, mode: int):
    file = stored(tmp_path, mode=mode)

    with pytest.raises(AccountError) as told:
        load_keys("main", tmp_path, {})

    assert f"chmod 600 {file}" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "text", ['{"key": "k-1", "secret": "s-1", "passphrase": "p:1"}', "k-1:s-1:p:1", " k-1:s-1:p:1 "]
)
def test_keys_come_from_the_environment_in_both_forms(tmp_path: Path, text: str):
    keys = load_keys("main-two", tmp_path, {"CHANDLER_KEYS_MAIN_TWO": text})

    assert (keys.key, keys.secret, keys.passphrase) == ("k-1", "s-1", "p:1")


@pytest.mark.parametrize("text", ["k-1:hush", "{hush", '["hush"]', '{"key": "hush"}', "a:hush:"])
def test_unusable_keys_are_named_but_never_shown(tmp_path: Path, text: str):
    with pytest.raises(AccountError) as told:
        load_keys("main", tmp_path, {"CHANDLER_KEYS_MAIN": text})

    assert "CHANDLER_KEYS_MAIN" in str(told.value)
    assert "hush" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_broken_file_is_named_but_never_shown(tmp_path: Path):
    file = stored(tmp_path, 'key = "k"\nsecret = hush')

    with pytest.raises(AccountError) as told:
        load_keys("main", tmp_path, {})

    assert str(file) in str(told.value)
    assert "hush" not in str(told.value)


def test_missing_keys_say_where_they_are_expected(tmp_path: Path):
    with pytest.raises(AccountError, match=r"CHANDLER_KEYS_MAIN .*keys/main\.toml"):
        load_keys("main", tmp_path, {})


@pytest.mark.parametrize("name", ["../main", "a/b", "", ".hidden", "a" * 65])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str):
    with pytest.raises(AccountError, match="expected a name"):
        load_keys(name, tmp_path, {})


def test_keys_are_hidden_however_they_are_printed_and_can_not_be_written_down():
    keys = Keys("k-1", "hush", "hush")

    for shown in (repr(keys), str(keys), f"{keys}", f"{[keys]!r}"):
        assert "hush" not in shown
        assert "k-1" not in shown
    for write in (pickle.dumps, copy.copy, copy.deepcopy, msgspec.json.encode):
        with pytest.raises(TypeError):
            write(keys)


def test_an_account_on_the_simulator_waits_for_its_keys_and_one_at_a_venue_says_what_is_missing(
    tmp_path: Path,
):
    """Both were an error, and the simulator writes its keys a second after the executor looks."""
    venue = VenueConfig(rest_url="http://127.0.0.1:1", ws_url="ws://127.0.0.1:1")
    simulated = AccountConfig(on_simulator=True)

    with pytest.raises(AccountAwaited):
        bitget_broker("main", simulated, data=tmp_path, environ={}, simulator=venue)
    with pytest.raises(AccountError):
        bitget_broker("main", AccountConfig(), data=tmp_path, environ={}, simulator=None)
    (tmp_path / "simulator").mkdir()
    stored(tmp_path / "simulator")

    assert keys_there("main", tmp_path / "simulator")
    assert bitget_broker("main", simulated, data=tmp_path, environ={}, simulator=venue)
