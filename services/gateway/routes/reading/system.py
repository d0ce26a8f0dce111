"""How the system runs: services, what happened to them, topics, and what could not be read."""

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from chandler.core.events import InfraEvent as Event
from chandler.core.granularity import DAY_MS
from chandler.streams.admin import TopicState, describe
from chandler.streams.catalogue import BY_NAME
from services.following.heard import OF_THE_MARKET, RUNNING, elsewhere, service_of
from services.following.scanned import Letter
from services.gateway.caller import Caller, at_least, parts_of
from services.gateway.cursors import cursor_of, place_of
from services.gateway.lookups import found, paged, sees_all, stale, wanted
from services.gateway.parts import Parts
from services.gateway.problems import Problem, refusals
from services.gateway.shapes.forms import Listed, of_row
from services.gateway.shapes.running import (
    DeadLetter,
    DeadLetters,
    DeadLettersAsked,
    Events,
    Infra,
    InfraAsked,
    InfraEvent,
    Service,
    Topics,
    TopicShown,
)
from services.ledger import lists
from services.ledger.lists import Wanted
from services.showing.readiness import ServiceStatus, gather
from services.topology import workers_of

router = APIRouter(tags=["system"])
Reader = Annotated[Caller, at_least("viewer", "read")]
Operator = Annotated[Caller, at_least("operator", "read")]
Here = Annotated[Parts, Depends(parts_of)]
READY_S = 1.0  # that an answer of the services holds
TOPICS_S = 5.0
RESTARTS_S = 10.0
LONGER_S = 15.0  # of what is asked of all topics
RESTARTS_MAX = 10_000


@router.get("/infra", responses=refusals(401, 403, 503))
async def infra(caller: Reader, parts: Here) -> Infra:
    """Services by readiness, lag, age and restarts of the last day; the newest event of each."""
    trouble = stale(parts, "lately")
    workers = workers_of(parts.profile)
    here = await found(
        parts.recent.of("services", READY_S, lambda: gather(parts.installation, workers))
    )
    restarts = await found(parts.recent.of("restarts", RESTARTS_S, lambda: _restarts(parts)))
    items = [_service(parts, name, each, restarts) for name, each in here.items()]
    events = sorted(parts.views.lately.infra.values(), key=lambda each: (-each.at, each.service))
    return Infra(
        items=items,
        ready=all(each.ready for each in items),
        clock_ms=parts.views.clock_ms(),
        close_ms=parts.views.lately.close_ms,
        now_ms=parts.now_ms(),
        events=[_event(each, caller) for each in events],
        stale=trouble,
        profile=parts.profile.name,
        mode=parts.profile.mode,
        venue="simulator" if parts.profile.simulator is not None else "bitget",
        pace=parts.profile.pace,
    )


@router.get("/infra/events", responses=refusals(401, 403, 503))
async def events(caller: Reader, parts: Here, asked: Annotated[InfraAsked, Query()]) -> Events:
    """What happened to services, the newest first; as the ledger has it."""
    which = wanted(asked, lists.INFRA)
    rows = await found(
        parts.sources.ledger(
            lambda connection: lists.page(
                connection, lists.INFRA, which, service=asked.service, kind=asked.kind
            )
        )
    )
    rows, following = paged(asked, lists.INFRA, rows)
    shown = [row if _may_tell(row["service"], caller) else _without(row) for row in rows]
    return Listed[InfraEvent](items=[of_row(InfraEvent, row) for row in shown], next=following)


@router.get("/topics", responses=refusals(401, 403, 503))
async def topics(_: Reader, parts: Here) -> Topics:
    """Topics as they are on the cluster: ends, sizes, what is kept."""

    async def ask() -> list[TopicState]:
        return await describe(parts.installation)

    states = await found(parts.recent.of("topics", TOPICS_S, ask), LONGER_S)
    return Listed[TopicShown](items=[_topic(each) for each in states])


@router.get("/dead-letters", responses=refusals(401, 403, 503))
async def dead_letters(
    caller: Operator, parts: Here, asked: Annotated[DeadLettersAsked, Query()]
) -> DeadLetters:
    """What could not be read or done, the newest first; the 500 newest are known."""
    trouble = stale(parts, "scanned")
    place = place_of(asked.after, (int,))
    below = int(place[0]) if place else None
    letters = [
        each
        for each in reversed(parts.views.scanned.letters)
        if (below is None or each.offset < below)
        and asked.source in ("", each.letter.source)
        and _may_tell(each.letter.source, caller)
    ]
    kept = letters[: asked.limit]
    following = cursor_of((kept[-1].offset,)) if len(letters) > len(kept) else ""
    whole = sees_all(caller)
    return DeadLetters(
        items=[_letter(each, whole=whole) for each in kept], next=following, stale=trouble
    )


async def _restarts(parts: Parts) -> Counter[str] | None:
    """How often each service was started again, of the last day; None: nobody knows."""
    since_ms = parts.now_ms() - DAY_MS

    def ask(connection: Connection) -> Counter[str]:
        which = Wanted(since_ms=since_ms, limit=RESTARTS_MAX)
        rows = lists.page(connection, lists.INFRA, which, kind="restarted")
        return Counter(row["service"] for row in rows)

    try:
        return await found(parts.sources.ledger(ask))
    except Problem:
        return None


def _service(
    parts: Parts, worker: str, here: ServiceStatus, restarts: Counter[str] | None
) -> Service:
    event = elsewhere(worker, here, parts.views.lately.infra)
    service = service_of(worker)
    said = here.state if here.state != "ready" or here.ready else "not ready"
    return Service(
        worker=worker,
        service=service,
        ready=here.ready if event is None else event.kind in RUNNING,
        state=said if event is None else event.kind.replace("_", " "),
        lag=here.lag,
        age_s=here.age_s,
        behind_s=here.behind_s,
        restarts=None if restarts is None else restarts[service],
        elsewhere=event is not None,
    )


def _may_tell(service: str, caller: Caller) -> bool:
    return service_of(service) in OF_THE_MARKET or sees_all(caller)


def _event(event: Event, caller: Caller) -> InfraEvent:
    told = _may_tell(event.service, caller)
    return InfraEvent(
        service=event.service,
        instance=event.instance if told else "",
        kind=event.kind,
        detail=event.detail if told else "",
        at=event.at,
    )


def _without(row: dict[str, object]) -> dict[str, object]:
    return {**row, "instance": "", "detail": ""}


def _topic(state: TopicState) -> TopicShown:
    topic = BY_NAME[state.name]
    return TopicShown(
        name=state.name,
        doc=topic.doc,
        key=topic.key,
        writers=list(topic.writers),
        partitions=state.partitions,
        begin=state.begin,
        end=state.end,
        records=state.records,
        bytes=state.bytes,
        compacted=topic.compacted,
        retention_ms=topic.retention_ms,
    )


def _letter(kept: Letter, *, whole: bool) -> DeadLetter:
    letter = kept.letter
    return DeadLetter(
        source=letter.source,
        cause=letter.cause,
        detail=letter.detail,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        raw=letter.raw if whole else "",
        written_ms=kept.written_ms,
        place=f"dead-letters:0:{kept.offset}",
    )
