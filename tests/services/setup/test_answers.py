"""Answers: any text is read or refused in one line, and what is written reads back as it was."""

import tomllib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chandler.exchanges.bitget.trade.keys import FIELDS, Keys
from services.cli.setup import answers, changes, writing
from services.cli.setup.answers import AnswerError
from services.profile import IngestConfig, Profile

READERS: list[Callable[[str], Any]] = [
    answers.symbols,
    answers.balance,
    answers.name,
    answers.telegram_id,
    answers.key_part,
    answers.one_of(["demo", "paper"]),
    answers.some_of(["scalper", "trend"]),
    answers.at_least_one(answers.some_of(["scalper", "trend"])),
]


@pytest.mark.parametrize("read", READERS)
@given(text=st.text() | st.from_regex(r"[0-9.eE+-]{1,40}", fullmatch=True))
def test_any_text_is_read_or_refused_in_one_line(read: Callable[[str], Any], text: str) -> None:
    said = ""
    try:
        read(text)
    except AnswerError as error:
        said = str(error)

    assert not said or "expected" in said
    assert said.isprintable()


@pytest.mark.parametrize("read", READERS[:5])
def test_a_very_long_answer_is_refused_and_not_repeated(read: Callable[[str], Any]) -> None:
    with pytest.raises(AnswerError) as refused:
        read("9" * 5_000)

    assert len(str(refused.value)) < 200


@given(st.text(min_size=8), st.sampled_from([" ", "\n", "é", "\x00"]))
def test_a_wrong_key_is_not_shown(text: str, wrong: str) -> None:
    with pytest.raises(AnswerError) as refused:
        answers.key_part(f"{text}{wrong}{text}")

    assert text not in str(refused.value)


@given(st.lists(st.text(min_size=1), min_size=3, max_size=3))
def test_keys_read_back_as_they_were(parts: list[str]) -> None:
    written = tomllib.loads(writing.keys_text(Keys(*parts)))

    assert [written[field] for field in FIELDS] == parts


@given(
    st.integers(1, 2000) | st.lists(st.sampled_from(["BTCUSDT", "ETHUSDT"]), min_size=1),
    st.lists(st.sampled_from(["SOLUSDT"]), max_size=1),
)
def test_symbols_that_are_wanted_are_those_of_the_profile_afterwards(
    wanted: list[str] | int, before: list[str]
) -> None:
    current = Profile(ingest=IngestConfig(symbols=before))
    ingest = changes.of_symbols(wanted, current).get("ingest", {})
    after = IngestConfig(
        symbols=ingest.get("symbols", current.ingest.symbols),
        top=ingest.get("top", current.ingest.top),
    )

    assert (after.symbols or after.top) == wanted


@given(st.decimals(Decimal("0.01"), 10**9, allow_nan=False, places=2))
def test_a_balance_reads_back_as_it_was(amount: Decimal) -> None:
    read = answers.balance(str(amount))

    assert read == amount
