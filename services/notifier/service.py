"""notifier: tells people what happens, takes what they ask, and keeps both apart from trading.

It reads topics and writes commands; nothing that trades ever waits for it.
"""

import os
from typing import get_args

from chandler.core.granularity import INTERVAL_MS
from chandler.core.notices.channel import Bring, Outcome
from chandler.core.notices.routing import TELEGRAM
from services.declaration import Context, Metric, Service
from services.layers import ConfigurationError
from services.notifier.channels.telegram import Telegram, to_telegram
from services.notifier.channels.webhook import webhook
from services.notifier.keeping import Keeper
from services.notifier.parts import TOPICS, Notifier
from services.notifier.token import token_of
from services.plugins import load
from services.telegram import api_url


async def run(context: Context) -> None:
    """Tells and takes until the stop."""
    for user in context.profile.users:
        context.metrics.add("chandler_notifier_undelivered_total", 0, user=user)  # from the start
    token = token_of(context.installation, context.profile, os.environ)
    channels = channels_of(context)
    keeper = Keeper(context.installation, context.log)
    held = await keeper.open()
    try:
        if not token:
            await Notifier(context, keeper, held, channels, None).run()
            return
        url = api_url(context.installation, context.profile.telegram)
        async with Telegram(token, url, context.log) as telegram:
            channels[TELEGRAM] = to_telegram(telegram)
            await Notifier(context, keeper, held, channels, telegram).run()
    finally:
        await keeper.close()


def channels_of(context: Context) -> dict[str, Bring]:
    """Every channel but Telegram; ConfigurationError for one that a user names in vain."""
    found: dict[str, Bring] = {"webhook": webhook}
    found.update({name: each.bring for name, each in load().channels.items()})
    for name, user in context.profile.users.items():
        if user.channel not in (TELEGRAM, "") and user.channel not in found:
            there = " ".join([TELEGRAM, *sorted(found)])
            raise ConfigurationError(
                f"users.{name}.channel is {user.channel!r}: expected one of {there}"
            )
    return found


SERVICE = Service(
    name="notifier",
    kind="edge",
    doc="tells people what happens and takes their commands, by Telegram",
    reads=(
        *TOPICS,
        "desk.state",
        "market",
        "logs",
        *(f"candles.{granularity}" for granularity in INTERVAL_MS),
        "candles.last",
        "instruments",
        "tickers",
        "notifier.state",
    ),
    writes=("notifier.state", "commands", "notices", "infra", "dead-letters"),
    metrics=(
        Metric(
            name="chandler_notifier_messages_total",
            kind="counter",
            doc="messages handed to a channel, by what became of them",
            labels=("outcome",),
            known=get_args(Outcome.__annotations__["what"]),
        ),
        Metric(
            name="chandler_notifier_undelivered_total",
            kind="counter",
            doc="messages that were given up; they are in dead-letters",
            labels=("user",),
        ),
        Metric(
            name="chandler_notifier_commands_total",
            kind="counter",
            doc="commands that people gave",
            labels=("what",),
        ),
        Metric(
            name="chandler_notifier_waiting_messages", kind="gauge", doc="messages in all queues"
        ),
        Metric(name="chandler_notifier_telegram_up", kind="gauge", doc="1 while Telegram answers"),
    ),
    run=run,
)
