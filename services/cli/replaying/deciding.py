"""What a call of `replay` comes to: a fresh replay, one that goes on, or a refusal in one line."""

from typing import NamedTuple

from chandler.core.granularity import DAY_MS, utc
from chandler.streams.catalogue import BY_NAME
from chandler.streams.replaying import OPEN, WHOLE, Mark, Plan, ReplayError, Target
from chandler.streams.replaying.plan import Places, is_series
from chandler.streams.replaying.source import Kept, Source
from chandler.streams.replaying.target import shown
from services.cli.replaying.asked import OUTSIDE, Asked


class Work(NamedTuple):
    """What is to be done."""

    plan: Plan
    begin_ms: int  # where the replay's clock starts
    places: Places  # where each partition goes on; {}: at its beginning
    fresh: bool  # what lies before the period goes out first
    notes: list[str]


def topics_wanted(asked: Asked, mark: Mark | None) -> list[str]:
    """What has to be read: as it was asked, else as the replay that goes on had it."""
    if asked.topics is not None:
        return asked.topics
    return list(OUTSIDE) if mark is None else mark.replay.topics


async def decide(asked: Asked, source: Source, target: Target) -> Work:
    """ReplayError says why there is nothing to be done."""
    mark = target.mark
    if mark is not None:
        return _on(asked, mark, asked.prefix)
    held = await target.held()
    if held:
        raise ReplayError(
            f"the topics of {asked.prefix!r} hold something ({shown(held)}) and no replay left its "
            "mark there: expected them empty, take another --prefix"
        )
    kept = await source.kept()
    plan = _fresh(asked, kept)
    notes = what_lacks(plan, kept)
    return Work(plan, plan.from_ms, {}, True, notes)


def _on(asked: Asked, mark: Mark, prefix: str) -> Work:
    """Goes on where the replay under this prefix stands."""
    plan, here = mark.replay, f"the replay under {prefix!r}"
    again = "start it again with --again, or take another --prefix"
    if mark.state == "running":
        raise ReplayError(
            f"{here} of {span(plan)} was not ended, or still runs: how far it came is not known; "
            f"if it is dead, {again}"
        )
    expected = plan.from_ms if mark.state == "prepared" else mark.reached_ms
    unsaid = asked.from_ms is None and mark.state == "prepared"
    if asked.prepare or not (unsaid or asked.from_ms == expected):
        raise ReplayError(
            f"{here} of {span(plan)} is {mark.state} at {iso(expected)}: to go on say --from "
            f"{iso(expected)}; or {again}"
        )
    extends = mark.state == "complete"
    others = {
        "--topics": asked.topics is not None and set(asked.topics) != set(plan.topics),
        "--symbols": bool(asked.symbols) and asked.symbols != plan.symbols,
        "--to": not extends and asked.to_ms not in (None, plan.to_ms),
    }
    for option, differs in others.items():
        if differs:
            raise ReplayError(f"{here} had another {option}: go on without it; or {again}")
    if not extends:
        return Work(plan, mark.reached_ms, mark.places, False, [])
    further = Plan(
        from_ms=mark.reached_ms,
        to_ms=OPEN if asked.to_ms is None else asked.to_ms,
        warm_up_ms=0,
        topics=plan.topics,
        symbols=plan.symbols,
    )
    return Work(further, further.from_ms, {}, False, [])


def _fresh(asked: Asked, kept: dict[str, Kept]) -> Plan:
    absent = [each for each in asked.topics or () if each not in kept]
    if absent:
        raise ReplayError(f"topic {absent[0]} is not on this cluster: run ./chandler up first")
    first_ms = _first_ms({name: each for name, each in kept.items() if each.first_ms < OPEN})
    if first_ms == OPEN:
        raise ReplayError(
            f"there is nothing to replay in {', '.join(list(kept)[:3]) or 'the topics'}: run "
            "./chandler up, or ./chandler candles import FILE, first"
        )
    return Plan(
        from_ms=first_ms if asked.from_ms is None else asked.from_ms,
        to_ms=OPEN if asked.to_ms is None else asked.to_ms,
        warm_up_ms=WHOLE if asked.from_ms is None else asked.warm_up_ms,
        topics=[name for name in BY_NAME if name in kept],
        symbols=asked.symbols,
    )


def _first_ms(filled: dict[str, Kept]) -> int:
    """Where a period begins that nobody has named: with the session's prices, else its candles."""
    if "tickers" in filled:
        return filled["tickers"].first_ms
    chosen = [name for name in filled if is_series(name)] or list(filled)
    return min((filled[name].first_ms for name in chosen), default=OPEN)


def what_lacks(plan: Plan, kept: dict[str, Kept]) -> list[str]:
    """Notes of what lacks before the period. ReplayError where the period itself is cut off."""
    notes = []
    for name, each in kept.items():
        if not each.cut:
            continue
        if each.first_ms > plan.from_ms:
            days = BY_NAME[name].retention_ms // DAY_MS
            there, later = "no more", "a later time"
            if each.first_ms < OPEN:
                later = iso(each.first_ms)
                there = f"from {later} on"
            raise ReplayError(
                f"{name} is there {there}, retention ({days} days) has removed what is older: say "
                f"--from {later}, or leave it out with --topics"
            )
        if each.first_ms > plan.low_ms(name):
            notes.append(f"{name}: the warm-up begins {utc(each.first_ms)}, older is removed")
    return notes


async def check_filled(plan: Plan, source: Source) -> None:
    """ReplayError where the period holds nothing; it says what there is."""
    inside = Plan(
        from_ms=plan.from_ms,
        to_ms=plan.to_ms,
        warm_up_ms=0,
        topics=plan.topics,
        symbols=plan.symbols,
    )
    for name in sorted(plan.topics, key=lambda each: not is_series(each)):
        if await source.any_of(inside, name):
            return
    kept = await source.kept()
    held = [each for each in kept.values() if each.last_ms >= 0]
    whose = f" of {', '.join(plan.symbols[:3])}" if plan.symbols else ""
    raise ReplayError(
        f"there is nothing{whose} in {span(plan)}: the topics hold "
        f"{iso(min(each.first_ms for each in held))} to {iso(max(each.last_ms for each in held))}, "
        "choose --from and --to between them"
    )


def of_later(plan: Plan, absent: dict[str, dict[bytes, int]]) -> list[str]:
    """Notes on what compaction has removed: it was there, but only its newest record is kept."""
    notes = []
    for topic, keys in absent.items():
        inside = [at for at in keys.values() if at >= plan.from_ms]
        if inside and BY_NAME[topic].compacted:
            notes.append(
                f"{topic} of {len(inside)} symbols are known only from {iso(min(inside))} to "
                f"{iso(max(inside))} on, compaction keeps the newest: before that nothing is "
                "traded in them"
            )
    return notes


def iso(ms: int) -> str:
    """A time that --from and --to take, UTC."""
    day, _, rest = utc(ms - ms % 60_000).partition(" ")
    seconds = ms % 60_000
    text = f"{day}T{rest[:5]}"
    if not seconds:
        return text
    return f"{text}:{seconds // 1_000:02d}" + (f".{ms % 1_000:03d}" if ms % 1_000 else "")


def span(plan: Plan) -> str:
    """The period, for people."""
    return f"{iso(plan.from_ms)} to {iso(plan.to_ms) if plan.to_ms < OPEN else 'the end'}"
