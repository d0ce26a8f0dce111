"""One chat's gathering: floods, what comes again and again, signals of a close, mutes.

`admit` takes notices in and `due` lets go what waited long enough; both give the notices that are
to be told now, in order. What waits is counted, and its gravest lines are kept: nothing is lost,
and nothing grows. Times are wall times, given from outside; a clock that was set back lets go at
once.
"""

from typing import Literal, NamedTuple

import msgspec

from chandler.core.hashing import digest
from chandler.core.notices.kinds import (
    KINDS,
    RANKS,
    SAID,
    How,
    Kind,
    Level,
    Notice,
    by_gravity,
    gravest,
    rank,
)
from chandler.core.notices.words import counted, listed, moment

Why = Literal["flood", "gathered", "muted", "signals", "again"]
FIRST_MAX: dict[Why, int] = {"flood": 5, "gathered": 10, "muted": 10, "signals": 60, "again": 1}
ALARMS_MAX = 20  # lines of alarms that a bundle keeps beside its first ones
RUNS_MAX = 500  # groups that are counted at once; what is beyond it is told singly
WORDS = {str(kind): about.words for kind, about in KINDS.items()}


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is told at once. Wall times."""

    flood: int = 20  # notices within flood_ms that are told singly
    flood_ms: int = 60_000
    again_ms: int = 600_000  # what comes again within it is counted, and told once in that time
    gathered_ms: int = 3_600_000  # between two messages of what is switched to gathered
    close_ms: int = 2_000  # that signals of one close wait for one another


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """Notices that wait to be told as one."""

    why: Why
    since_ms: int  # wall time of the first one
    due_ms: int  # wall time at which it is told
    since_at: int  # of the first one's event
    last_at: int
    first_id: str
    last_id: str
    alone: Notice | None  # the one notice in it, until a second one comes
    level: Level
    counts: dict[str, int]  # kind → how many
    last_label: str = ""
    first: list[str] = []  # heads of the gravest ones, these first; else as they came
    ranks: list[int] = []  # of each of these, see kinds.rank
    alarms: list[str] = []  # heads of alarms among the others

    @property
    def count(self) -> int:
        return sum(self.counts.values())


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A group that came lately."""

    since_ms: int  # wall time
    due_ms: int  # wall time of the next look at it
    since_at: int  # of its first event
    passed: int  # that were told singly
    labels: dict[str, int] = {}  # "lost" → how often since then
    waiting: Bundle | None = None


class Gathering(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in one chat, and what was told lately."""

    bundles: dict[str, Bundle] = {}  # "flood", "gathered", "muted", "signals 1704448800000"
    runs: dict[str, Run] = {}  # by group
    recent: list[int] = []  # wall times of what was told within flood_ms
    urgent: list[int] = []  # of what is urgent, likewise


class Chat(NamedTuple):
    """What the chat wishes and can take, while notices are taken."""

    pace: Pace
    muted_until_ms: int
    full: bool  # its queue takes no more for now


Told = tuple[Gathering, list[Notice]]


def admit(state: Gathering, chat: Chat, notice: Notice, how: How, now: int) -> Told:
    """A notice that is for this chat. `how`: its kind is told at once, or gathered."""
    if how == "gathered" and not notice.urgent:
        due_ms = now + chat.pace.gathered_ms
        return _wait(state, "gathered", "gathered", notice, now, due_ms), []
    if notice.kind == "signal":
        key = f"signals {notice.close_ms}"
        others = [name for name in state.bundles if name.startswith("signals ") and name != key]
        state, told = _let_go(state, chat, others, now)
        return _wait(state, key, "signals", notice, now, now + chat.pace.close_ms), told
    if notice.group and not notice.urgent:
        state, passes = _again(state, chat.pace, notice, now)
        if not passes:
            return state, []
    return _tell(state, chat, notice, now)


def due(state: Gathering, chat: Chat, now: int) -> Told:
    """What waited long enough."""
    told: list[Notice] = []
    for group, run in list(state.runs.items()):
        if not _is_due(run.since_ms, run.due_ms, now):
            continue
        runs = {name: each for name, each in state.runs.items() if name != group}
        if run.waiting is not None:  # it goes on: counted anew
            runs[group] = msgspec.structs.replace(
                run, waiting=None, since_ms=now, due_ms=now + chat.pace.again_ms
            )
        state = msgspec.structs.replace(state, runs=runs)
        if run.waiting is not None:
            line = _counted(run.waiting, group, run)
            state, more = _tell(state, chat, line, now)
            told += more
    over = [key for key, each in state.bundles.items() if _is_due(each.since_ms, each.due_ms, now)]
    state, more = _let_go(state, chat, over, now)
    return state, told + more


def next_ms(state: Gathering, *, full: bool) -> int | None:
    """Wall time of the next look that `due` needs; None: nothing waits."""
    bundles = [each.due_ms for key, each in state.bundles.items() if not (full and key == "flood")]
    return min([*bundles, *(run.due_ms for run in state.runs.values())], default=None)


def quiet_until(state: Gathering, until_ms: int) -> Gathering:
    """What was muted waits until then instead."""
    waiting = state.bundles.get("muted")
    if waiting is None:
        return state
    changed = msgspec.structs.replace(waiting, due_ms=until_ms)
    return msgspec.structs.replace(state, bundles={**state.bundles, "muted": changed})


def _is_due(since_ms: int, due_ms: int, now: int) -> bool:
    return now >= due_ms or now < since_ms


def _again(state: Gathering, pace: Pace, notice: Notice, now: int) -> tuple[Gathering, bool]:
    """Counts what came lately; whether the notice is told singly."""
    run = state.runs.get(notice.group)
    label = {notice.label: 1}
    if run is None and len(state.runs) >= RUNS_MAX:
        return state, True
    due_ms = now + pace.again_ms
    if run is None:
        run = Run(since_ms=now, due_ms=due_ms, since_at=notice.at, passed=0)
    run = msgspec.structs.replace(run, labels=_sum(run.labels, label))
    at_once = 0 if notice.patient else max(1, KINDS[notice.kind].at_once)
    if run.passed < at_once:
        run = msgspec.structs.replace(run, passed=run.passed + 1, since_ms=now, due_ms=due_ms)
        passes = True
    else:
        if run.waiting is None:
            run = msgspec.structs.replace(run, since_ms=now, due_ms=due_ms)
        waiting = _added(run.waiting, "again", notice, now, due_ms)
        run = msgspec.structs.replace(run, waiting=waiting)
        passes = False
    return msgspec.structs.replace(state, runs={**state.runs, notice.group: run}), passes


def _tell(state: Gathering, chat: Chat, notice: Notice, now: int) -> Told:
    """Told now, unless the chat is muted or flooded."""
    pace = chat.pace
    if now < chat.muted_until_ms and not notice.urgent:
        return _wait(state, "muted", "muted", notice, now, chat.muted_until_ms), []
    told = state.urgent if notice.urgent else state.recent
    lately = [each for each in told if now - pace.flood_ms < each <= now]
    flooded = len(lately) >= pace.flood or ("flood" in state.bundles and not notice.urgent)
    if flooded or chat.full:
        return _wait(state, "flood", "flood", notice, now, now + pace.flood_ms), []
    before: list[Notice] = []
    waiting = state.bundles.get("flood")
    if waiting is not None:  # what came before the urgent one is told before it
        before = [_as_one(waiting, "flood")]
        state = _without(state, "flood")
    lately = [*lately, now]
    if notice.urgent:
        return msgspec.structs.replace(state, urgent=lately), [*before, notice]
    return msgspec.structs.replace(state, recent=lately), [notice]


def _let_go(state: Gathering, chat: Chat, keys: list[str], now: int) -> Told:
    """Bundles that wait no longer. A flood of signals or of gathered ones is a flood again."""
    told: list[Notice] = []
    for key in keys:
        if key not in state.bundles or (key == "flood" and chat.full):
            continue  # an urgent one let the flood go before it, or there is no room
        notice = _as_one(state.bundles[key], key)
        state = _without(state, key)
        muted = now < chat.muted_until_ms and not notice.urgent
        if key == "flood" and not muted:  # it has waited: no flood keeps it any longer
            lately = [each for each in state.recent if now - chat.pace.flood_ms < each <= now]
            state = msgspec.structs.replace(state, recent=[*lately, now])
            told.append(notice)
        else:
            state, more = _tell(state, chat, notice, now)
            told += more
    return state, told


def _wait(state: Gathering, key: str, why: Why, notice: Notice, now: int, due_ms: int) -> Gathering:
    bundle = _added(state.bundles.get(key), why, notice, now, due_ms)
    return msgspec.structs.replace(state, bundles={**state.bundles, key: bundle})


def _without(state: Gathering, key: str) -> Gathering:
    rest = {name: each for name, each in state.bundles.items() if name != key}
    return msgspec.structs.replace(state, bundles=rest)


def _added(bundle: Bundle | None, why: Why, notice: Notice, now: int, due_ms: int) -> Bundle:
    """With one more; what is a bundle itself is taken in with its counts."""
    if bundle is None:
        return Bundle(
            why=why,
            since_ms=now,
            due_ms=due_ms,
            since_at=notice.at,
            last_at=notice.at,
            first_id=notice.id,
            last_id=notice.id,
            alone=notice,
            level=notice.level,
            counts=notice.stands_for,
            last_label=notice.label,
            first=[_head(notice)],
            ranks=[rank(notice)],
        )
    lines = list(zip(_ranks(bundle), bundle.first, strict=True))
    lines = sorted([*lines, (rank(notice), _head(notice))], key=lambda each: each[0])
    alarms = bundle.alarms
    if len(lines) > FIRST_MAX[why]:
        last = lines.pop()
        if last[0] < RANKS and len(alarms) < ALARMS_MAX:
            alarms = [*alarms, last[1]]
    return msgspec.structs.replace(
        bundle,
        last_at=notice.at,
        last_id=notice.id,
        alone=None,
        level=gravest(bundle.level, notice.level),
        counts=_sum(bundle.counts, notice.stands_for),
        last_label=notice.label,
        first=[head for _, head in lines],
        ranks=[of for of, _ in lines],
        alarms=alarms,
    )


def _ranks(bundle: Bundle) -> list[int]:
    """One for each line: what was kept before there were ranks comes first."""
    return bundle.ranks if len(bundle.ranks) == len(bundle.first) else [0] * len(bundle.first)


def _head(notice: Notice) -> str:
    return SAID[notice.level] + notice.head


def _sum(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in (*first, *second)}


def _as_one(bundle: Bundle, key: str) -> Notice:
    """The one notice that tells all of a bundle; a single one is told as it came."""
    if bundle.alone is not None:
        return bundle.alone
    count, lines = bundle.count, [*bundle.first, *bundle.alarms]
    kinds = listed(by_gravity(bundle.counts), WORDS)
    kind: Kind = "desk"
    match bundle.why:
        case "signals":
            kind, head = "signal", f"{count} signals of the close {moment(bundle.since_at)}"
        case "muted":
            head = f"{count} notices while muted: {kinds}"
        case "gathered":
            head = f"{count} notices since {moment(bundle.since_at)}: {kinds}"
        case _:
            head = f"{count} notices within a short time: {kinds}"
    if count > len(lines):
        lines.append(f"… and {count - len(lines)} more")
    return Notice(
        id=digest("bundle", key, bundle.first_id, bundle.last_id, str(count)),
        kind=kind,
        level=bundle.level,
        at=bundle.last_at,
        head=head,
        lines=lines,
        counts=bundle.counts,
    )


def _counted(bundle: Bundle, group: str, run: Run) -> Notice:
    """One line for what came again and again: how often, since when, and how it stands."""
    if bundle.alone is not None:
        return bundle.alone
    kind = next(known for known in KINDS if known in bundle.counts)
    stands = f", now {bundle.last_label}" if kind == "connection" else ""
    return Notice(
        id=digest("run", group, bundle.first_id, bundle.last_id, str(bundle.count)),
        kind=kind,
        level=bundle.level,
        at=bundle.last_at,
        head=f"{group}: {counted(run.labels, {})} since {moment(run.since_at)}{stands}",
        lines=[f"the last one {moment(bundle.last_at)}"],
        counts=bundle.counts,
    )
