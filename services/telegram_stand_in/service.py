"""telegram_stand_in: a Bot API server and a page in Telegram's place, for the demo and tests."""

import asyncio

from chandler.core.notices.routing import TELEGRAM
from chandler.streams.settings import PORT_TELEGRAM
from services.declaration import Context, Metric, Service
from services.telegram import STAND_IN_TOKEN, STAND_IN_USERNAME
from services.telegram_stand_in.people import Person
from services.telegram_stand_in.server import StandIn

COUNT_S = 1.0


async def run(context: Context) -> None:
    """Serves until the stop. The profile's people are known from the beginning."""
    people = tuple(
        Person(user_id=user.telegram_id, name=name)
        for name, user in context.profile.users.items()
        if user.channel == TELEGRAM
    )
    server = StandIn(
        context.installation.port(PORT_TELEGRAM),
        host=context.installation.http_host,
        names=frozenset({context.installation.telegram_host}),
        bots={STAND_IN_TOKEN: STAND_IN_USERNAME},
        people=people,
        log=context.log,
    )
    async with server:
        context.log.info("write to the bot at %s", server.url)
        context.health.ready, context.health.state = True, "ready"
        counting = asyncio.create_task(_count(context, server))
        try:
            await context.stop.wait()
        finally:
            counting.cancel()


async def _count(context: Context, server: StandIn) -> None:
    told: dict[str, int] = {}
    while True:
        for answer, count in server.state()["counts"].items():
            more = count - told.get(answer, 0)
            if more:
                context.metrics.add("chandler_telegram_stand_in_answers_total", more, answer=answer)
            told[answer] = count
        await asyncio.sleep(COUNT_S)


SERVICE = Service(
    name="telegram_stand_in",
    kind="edge",
    doc="stands in for Telegram: a Bot API server with a page to write on",
    reads=(),
    writes=(),
    metrics=(
        Metric(
            name="chandler_telegram_stand_in_answers_total",
            kind="counter",
            doc="answers to the bot, by method and status",
            labels=("answer",),
        ),
    ),
    run=run,
)
