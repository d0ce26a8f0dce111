"""`make observe-check`: every query of every dashboard has data while the demo runs.

Also the marks' and variables' queries, and what rules and alerts ask for. Status 1 if one has none.
"""

import argparse
import sys
import time
from pathlib import Path

import yaml
from sqlalchemy import make_url

from grafana.live.pictures import draw
from grafana.live.provoke import provoke
from grafana.live.questions import Answer, Asker, AskingError, Question, Range, questions
from grafana.live.system import READY_S_MAX, ROOT, StartError, System, is_ready, statuses, system
from grafana.selectors import selectors, unshown, written

SPEED = 60.0  # as in the demo's profile
SETTLE_S = 30.0  # of the demo, before something is made to happen
ANSWER_S_MAX = 150.0  # after which what has no data has none
AGAIN_S = 10.0
PICTURED_S = 60.0  # that pictures show beyond that

Answered = list[tuple[Question, Answer]]


def main() -> int:
    """0: all have data."""
    reader = argparse.ArgumentParser(prog="grafana/check.sh", description=__doc__)
    reader.add_argument("--pictures", type=Path, help="a folder for a sheet of each dashboard")
    reader.add_argument("--speed", type=float, default=SPEED, help="venue's seconds per second")
    asked = reader.parse_args()
    since = time.time()
    try:
        with system(asked.speed) as started:
            _until_ready(started)
            print(f"ready after {time.time() - since:.0f} s", flush=True)
            time.sleep(SETTLE_S)
            provoke(started)
            return check(started, asked.pictures, since)
    except StartError as error:
        print(f"observe-check: {error}", file=sys.stderr)
        return 2


def _until_ready(started: System) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while not is_ready(started.prometheus):
        if started.up.poll() is not None:
            raise StartError("the demo ended")
        if time.monotonic() > deadline:
            waits = [
                f"{name} ({each['state']})"
                for name, each in statuses(started).items()
                if not each["ready"]
            ]
            raise StartError(f"not ready in {READY_S_MAX:.0f} s: {' '.join(waits)}")
        time.sleep(1.0)


def check(started: System, pictures: Path | None, since: float) -> int:
    """Asks until everything is answered or time is over, and says what isn't."""
    asker = Asker(started.prometheus, make_url(started.ledger).set(drivername="postgresql+psycopg"))
    try:
        answered, refused = _patiently(asker, since)
        if pictures is not None and not refused:
            time.sleep(PICTURED_S)
            answered, refused = _asked(asker, since)
        unknown = _unknown(asker, Range(since, time.time()))
    finally:
        asker.close()
    if pictures is not None:
        draw([each for each in answered if each[0].is_panel], pictures)
    lines, status = verdict(answered, refused, unknown)
    print("\n".join(lines), f"seconds={time.time() - since:.0f}")
    return status


def verdict(answered: Answered, refused: list[str], unknown: list[str]) -> tuple[list[str], int]:
    """What to say, the figures last, and the status: 0 where all have data, and there was some."""
    unanswered = [question for question, answer in answered if not answer]
    panels = {(each.dashboard, each.panel) for each, _ in answered if each.is_panel}
    empty = {(each.dashboard, each.panel) for each in unanswered if each.is_panel}
    figures = (
        f"panels={len(panels)} empty={len(empty)} unknown_metrics={len(unknown)} "
        f"queries={len(answered) + len(refused)} unanswered={len(unanswered)} "
        f"refused={len(refused)}"
    )
    lines = [*refused, *(f"no data: {each.where}" for each in unanswered), *unknown, figures]
    return lines, int(bool(not panels or unanswered or unknown or refused))


def _patiently(asker: Asker, since: float) -> tuple[Answered, list[str]]:
    """Everything asked, again and again while something has no answer and there is time."""
    deadline = time.monotonic() + ANSWER_S_MAX
    while True:
        answered, refused = _asked(asker, since)
        waiting = sum(not answer for _, answer in answered)
        print(f"{time.time() - since:.0f} s: {waiting} without data yet", flush=True)
        if refused or not waiting or time.monotonic() > deadline:
            return answered, refused
        time.sleep(AGAIN_S)


def _asked(asker: Asker, since: float) -> tuple[Answered, list[str]]:
    """Everything asked once: what came, and why something can't be asked."""
    span = Range(since, time.time())
    asker.fill(span)
    answered, refused = [], []
    for question in questions():
        try:
            answered.append((question, asker.ask(question, span)))
        except AskingError as error:
            refused.append(f"{question.where}: {error}")
    return answered, refused


def _rules() -> list[dict[str, str]]:
    """Every recording rule and alert."""
    files = [yaml.safe_load(path.read_text()) for path in (ROOT / "prometheus/rules").glob("*.yml")]
    return [rule for held in files for group in held["groups"] for rule in group["rules"]]


def _unknown(asker: Asker, span: Range) -> list[str]:
    """What rules and alerts ask for that has no series, and what is exported and shown nowhere."""
    between = {"start": span.start, "end": span.end}
    lines = []
    rules = _rules()
    for rule in rules:
        name = rule.get("record") or rule["alert"]
        for metric, matchers in selectors(rule["expr"]):
            asked = written(metric, matchers)
            if not asker.get("series", {"match[]": asked, **between}):
                lines.append(f"no series: {name}: {asked}")
    recorded = {rule["record"]: rule["expr"] for rule in rules if "record" in rule}
    held = asker.get("label/__name__/values", {"match[]": '{job="chandler"}', **between})
    exported = {
        each
        for each in held
        if ":" not in each and not each.endswith("_created") and not _made_by_scraping(each)
    }
    shown = [each.target["expr"] for each in questions() if "expr" in each.target]
    lines += [f"shown nowhere: {each}" for each in unshown(shown, recorded, exported)[0]]
    return sorted(set(lines))


def _made_by_scraping(name: str) -> bool:
    return name == "up" or name.startswith("scrape_")


if __name__ == "__main__":
    sys.exit(main())
