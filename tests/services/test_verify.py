"""What surrounds the comparison of `verify`: times, what services said, digests by day."""

from pathlib import Path

import pytest
import typer

from chandler.core.granularity import DAY_MS
from chandler.replay.audit.verdict import EVER, FOR_EVER_MS, Bounds, Checked, Difference
from services.cli.records.moments import moment
from services.cli.verify.command import Verdict
from services.cli.verify.kept import Day, keep
from services.cli.verify.ran import since

DAY_1 = 20_000 * DAY_MS  # 2024-10-04
DAY_2 = DAY_1 + DAY_MS


def signals(*records: tuple[int, bytes]) -> Checked:
    checked = Checked(topic="signals")
    for at, raw in records:
        checked.right(at, raw)
    return checked


def states(days: list[Day]) -> list[tuple[str, str]]:
    return [(each.day, each.state) for each in days]


def test_a_time_is_a_day_a_moment_or_milliseconds_and_utc_without_a_zone() -> None:
    assert moment("", "--from") is None
    assert moment("2024-10-04", "--from") == DAY_1
    assert moment("2024-10-04T00:00:01", "--to") == DAY_1 + 1_000
    assert moment("2024-10-04T02:00:00+02:00", "--to") == DAY_1
    assert moment(str(DAY_1), "--to") == DAY_1
    with pytest.raises(typer.BadParameter, match="--to tomorrow: expected a time such as"):
        moment("tomorrow", "--to")


def test_the_newest_word_stands_since_it_was_said_after_another() -> None:
    assert since([]) == 0
    assert since([(1, "a"), (5, "a")]) == 0
    assert since([(1, "a"), (5, "b"), (7, "b")]) == 5
    assert since([(1, "a"), (5, "b"), (7, "a"), (9, "a")]) == 7


def test_what_other_code_than_todays_said_last_never_stands() -> None:
    assert since([(1, "old")], "now") == FOR_EVER_MS
    assert since([(1, "old"), (5, "now")], "now") == 5


def test_digests_of_days_are_kept_and_said_to_be_the_same(tmp_path: Path) -> None:
    found = signals((DAY_1, b"one"), (DAY_2, b"two"))

    first = keep(tmp_path, [found], EVER, "code")
    second = keep(tmp_path, [signals((DAY_2, b"two"), (DAY_1, b"one"))], EVER, "code")

    assert first == []
    assert states(second) == [("2024-10-04", "same"), ("2024-10-05", "same")]
    assert {path.name for path in tmp_path.iterdir()} == {"2024-10-04.json", "2024-10-05.json"}


def test_a_day_whose_records_are_gone_stays_verified(tmp_path: Path) -> None:
    keep(tmp_path, [signals((DAY_1, b"one"), (DAY_1, b"two"))], EVER, "code")

    less = keep(tmp_path, [signals((DAY_1, b"two"))], EVER, "code")
    gone = keep(tmp_path, [], EVER, "code")
    again = keep(tmp_path, [signals((DAY_1, b"two"), (DAY_1, b"one"))], EVER, "code")

    assert [each.state for each in (*less, *gone, *again)] == ["less", "gone", "same"]
    assert "2 records verified before, 1 of them are left" in less[0].line


def test_a_day_that_goes_on_is_kept_as_it_is_then(tmp_path: Path) -> None:
    keep(tmp_path, [signals((DAY_1, b"one"))], EVER, "code")

    more = keep(tmp_path, [signals((DAY_1, b"one"), (DAY_1, b"two"))], EVER, "code")
    same = keep(tmp_path, [signals((DAY_1, b"one"), (DAY_1, b"two"))], EVER, "code")

    assert [each.state for each in (*more, *same)] == ["more", "same"]


def test_a_day_of_which_a_record_was_changed_is_told_and_fails(tmp_path: Path) -> None:
    keep(tmp_path, [signals((DAY_1, b"one"))], EVER, "code")

    found = signals((DAY_1, b"another"))
    days = keep(tmp_path, [found], EVER, "code")

    assert states(days) == [("2024-10-04", "changed")]
    assert "the digest is another now" in days[0].line
    assert not Verdict([found], days, [], 1, 0.0).well
    assert Verdict([found], [], [], 1, 0.0).well


def test_a_day_of_which_only_a_part_was_looked_at_is_not_kept(tmp_path: Path) -> None:
    found = signals((DAY_1 + 5, b"one"), (DAY_2, b"two"))

    keep(tmp_path, [found], Bounds(DAY_1 + 1, DAY_2 + 1), "code")

    assert [*tmp_path.iterdir()] == []
    keep(tmp_path, [found], Bounds(DAY_1, DAY_2), "code")
    assert [path.stem for path in tmp_path.iterdir()] == ["2024-10-04"]


def test_a_digest_that_cannot_be_read_is_written_anew(tmp_path: Path) -> None:
    keep(tmp_path, [signals((DAY_1, b"one"))], EVER, "code")
    file = tmp_path / "2024-10-04.json"
    file.write_text("{")

    assert keep(tmp_path, [signals((DAY_1, b"one"))], EVER, "code") == []
    assert states(keep(tmp_path, [signals((DAY_1, b"one"))], EVER, "code")) == [
        ("2024-10-04", "same")
    ]


def test_the_first_difference_is_the_earliest_and_then_the_one_that_others_come_from() -> None:
    def wrong(topic: str, at: int) -> Checked:
        checked = Checked(topic=topic)
        checked.wrong(Difference(topic=topic, at=at, symbol="BTCUSDT", what="it differs"))
        return checked

    topics = [wrong("matrix", 5), wrong("indicators.1H", 5), wrong("exits", 4), wrong("desk", 9)]
    verdict = Verdict(topics, [], [], 8, 1.0)

    assert (verdict.decisions, verdict.mismatches, verdict.well) == (4, 4, False)
    assert verdict.first is not None
    assert verdict.first.topic == "exits"
    assert Verdict(topics[:2], [], [], 8, 1.0).first == topics[1].first
    assert verdict.line.startswith("decisions=4 mismatches=4 explained=0 not_compared=0 ")


def test_nothing_compared_is_not_well() -> None:
    assert not Verdict([Checked(topic="signals")], [], [], 8, 1.0).well
