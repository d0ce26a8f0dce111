"""A study's outcome: its figures as one record, the profile file, the page."""

import html
import re
from pathlib import Path
from typing import Any

import msgspec

from chandler.core.granularity import HOUR_MS, utc
from chandler.replay.optimise.scoring import WORST
from chandler.replay.optimise.walk import Walk
from chandler.replay.report.page import ASSETS
from services.cli.optimise.search import changes_of_trial, refusals, walk_of, winner
from services.cli.optimise.store import Done, HeldOut, Study
from services.layers import parse_value

BARE = re.compile(r"[A-Za-z0-9_-]+")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """All that a study has found."""

    study: str
    target: str
    objective: str
    trials: int  # finished
    refused: dict[str, int]  # reason → trials
    stopped: int  # trials that were below the middle of the others on their way
    idle: int  # trials with too few trades
    as_it_is: Done | None  # the first trial: the profile's own values
    winner: Done | None
    changes: list[str]  # that the winner made
    walk: Walk
    held_out: HeldOut | None
    purge_ms: int
    windows: list[tuple[int, int]]  # train and test of each fold in turn
    hold_out: tuple[int, int] | None
    best_so_far: list[tuple[int, float]]  # trial, score: where a trial was better than all before


def outcome(study: Study) -> Outcome:
    """As far as it has come."""
    plan, best = study.plan, winner(study)
    split = plan.split
    return Outcome(
        study=study.name,
        target=plan.target.word,
        objective=plan.objective,
        trials=len(study.done),
        refused=refusals(study),
        stopped=sum(each.stopped for each in study.done.values()),
        idle=sum(1 for each in study.done.values() if each.score == WORST),
        as_it_is=study.done.get(0),
        winner=best,
        changes=[] if best is None else changes_of_trial(study, best),
        walk=walk_of(study),
        held_out=study.held_out,
        purge_ms=plan.purge_ms,
        windows=[(each.from_ms, each.to_ms) for each in split.windows()],
        hold_out=None if split.hold_out is None else (split.hold_out.from_ms, split.hold_out.to_ms),
        best_so_far=_best_so_far(study),
    )


def _best_so_far(study: Study) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []
    for number in sorted(study.done):
        score = study.done[number].score
        if score is not None and score > (found[-1][1] if found else WORST):
            found.append((number, score))
    return found


def profile_text(study: Study, best: Done, extends: str) -> str:
    """A profile that extends the one that was tried, with what was asked for and found."""
    plan = study.plan
    lines = [
        f"# Found by ./chandler optimise: study {study.name}, trial {best.number} of "
        f"{len(study.done)},",
        f"# {plan.objective} {best.score:.4g} in the sample of {plan.source}.",
        f"name = {_text(study.name)}",
        f"extends = {_text(extends)}",
    ]
    tables: dict[str, dict[str, str]] = {}
    for change in [*plan.target.changes, *changes_of_trial(study, best)]:
        path, _, value = change.partition("=")
        table, _, key = path.strip().rpartition(".")
        tables.setdefault(table, {})[key] = _value(value.strip())
    for key, value in tables.pop("", {}).items():
        lines.append(f"{_key(key)} = {value}")
    for table, values in tables.items():
        lines += ["", f"[{'.'.join(map(_key, table.split('.')))}]"]
        lines += [f"{_key(key)} = {value}" for key, value in values.items()]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else _text(key)


def _value(text: str) -> str:
    found = parse_value(text)
    return _text(text) if isinstance(found, str) and found == text else text


def write(study: Study, file: Path, extends: str) -> list[Path]:
    """The profile, and beside it the figures and the page; each is whole or not there."""
    found = outcome(study)
    assert found.winner is not None, "there is no winner to write"
    data = msgspec.json.format(msgspec.json.encode({"plan": study.plan, "outcome": found}))
    texts = {
        file: profile_text(study, found.winner, extends),
        file.with_suffix(".json"): data.decode(),
        file.with_suffix(".html"): page(study, found),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    return list(texts)


def page(study: Study, found: Outcome) -> str:
    """One HTML file that needs nothing else."""
    style = (ASSETS / "style.css").read_text(encoding="utf-8")
    title = html.escape(f"{found.target}: {found.objective}")
    best, first = found.winner, found.as_it_is
    facts = [
        ("study", found.study),
        ("trials", f"{found.trials}, refused {sum(found.refused.values())}, stopped early "
                   f"{found.stopped}, too few trades {found.idle}"),
        ("as it is", _score(first)),
        ("winner", _score(best)),
        ("walk-forward efficiency", _number(found.walk.efficiency)),
        ("held out", _held(found)),
    ]  # fmt: skip
    parameters = [
        (
            each.path,
            _number(each.now),
            _number(each.applied(best.params[each.path])) if best else "",
        )
        for each in study.plan.target.parameters
    ]
    folds = [
        (utc(each.fold.train.from_ms), utc(each.fold.train.to_ms), utc(each.fold.test.from_ms),
         utc(each.fold.test.to_ms), str(each.trial), _number(each.train), _number(each.test))
        for each in found.walk.folds
    ]  # fmt: skip
    parts = [
        _table(("", ""), facts),
        "<h2>Best so far</h2>",
        _curve(found.best_so_far, found.trials),
        "<h2>Folds</h2>",
        _table(("train from", "to", "test from", "to", "trial", "train", "test"), folds),
        "<h2>Parameters</h2>",
        _table(("", "as it is", "found"), parameters),
        "<h2>Refused</h2>",
        _table(("reason", "trials"), [(each, str(n)) for each, n in found.refused.items()]),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head><body><main><h1>{title}</h1>{''.join(parts)}</main></body>"
        "</html>\n"
    )


def _score(done: Done | None) -> str:
    if done is None or done.score is None:
        return "-"
    return f"{done.score:.4g} (trial {done.number}, {done.trades} trades, {done.total_return:+.2%})"


def _held(found: Outcome) -> str:
    looked = found.held_out
    if looked is None or looked.value is None:
        return "not looked at"
    gap = f"purge {found.purge_ms / HOUR_MS:g} h"
    return (
        f"{looked.value:.4g} ({looked.trades} trades, {looked.total_return:+.2%}; {gap}; looked at "
        f"{looked.looked_at})"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _table(headings: tuple[str, ...], rows: Any) -> str:
    head = "".join(f"<th>{html.escape(each)}</th>" for each in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(each))}</td>" for each in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _curve(points: list[tuple[int, float]], trials: int) -> str:
    """Steps, 600 by 160 pixels."""
    if not points:
        return "<p>no trial traded enough</p>"
    low, high = points[0][1], points[-1][1]
    span = (high - low) or 1.0
    path: list[str] = []
    for number, score in points:
        x, y = 600 * number / max(1, trials - 1), 150 - 140 * (score - low) / span
        path.append(f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f} {y:.1f}")
    return (
        '<svg viewBox="0 0 600 160" width="600" height="160" role="img" aria-label="best so far">'
        f'<path d="{"".join(path)}H600" fill="none" stroke="currentColor" stroke-width="2"/>'
        f'<text x="4" y="14" font-size="12">{high:.4g}</text>'
        f'<text x="4" y="158" font-size="12">{low:.4g}</text></svg>'
    )
