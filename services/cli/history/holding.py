"""The candle topics for a command that writes them: nobody else does meanwhile."""

import contextlib
import sys
from collections.abc import AsyncIterator, Iterable, Iterator

from chandler.core.events import InfraEvent
from chandler.core.granularity import Granularity, utc
from chandler.streams import embedded
from chandler.streams.admin import create_topics
from chandler.streams.settings import Installation
from chandler.streams.writing import LostError, ReplacedError
from services import plugins
from services.cli.running.state import command_of, only_one
from services.cli.running.state import running as up_running
from services.history.publishing import Publisher
from services.history.writers import heard, running, shards_of
from services.layers import ConfigurationError
from services.loading import configuration
from services.profile import Profile
from services.runner import installed

ELSEWHERE = "use another CHANDLER_DATA and CHANDLER_PORT_BASE"


@contextlib.contextmanager
def held() -> Iterator[tuple[Installation, Profile]]:
    """The installation with Kafka running and no `up` in its data directory. ConfigurationError."""
    installation = installed()
    profile = configuration(installation).profile
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(only_one(installation, "trading"))
        except ConfigurationError:
            state = up_running(installation, "trading")
            who = f"`{command_of(state.half)}` (process {state.pid})" if state else "`up`"
            raise ConfigurationError(
                f"{who} or another import runs in {installation.data} and writes these "
                f"topics: end it first, or {ELSEWHERE}"
            ) from None
        stack.enter_context(embedded.lease(installation, lambda line: print(line, file=sys.stderr)))
        yield installation, profile


@contextlib.asynccontextmanager
async def publishing(
    installation: Installation,
    profile: Profile,
    granularities: Iterable[Granularity],
    source: str,
    *,
    take_over: bool,
) -> AsyncIterator[Publisher]:
    """A publisher that has fenced every ingest. ConfigurationError if one still runs."""
    topics = [*(f"candles.{each}" for each in granularities), "candles.last", "infra"]
    kafka = profile.kafka
    await create_topics(installation, kafka.symbol_partitions, kafka.replication, topics)
    words = await heard(installation)
    others = running(words)
    if others and not take_over:
        raise ConfigurationError(_still_there(others[-1]))
    wanted = len(plugins.wanted(profile).granularities)
    publisher = Publisher(installation, shards_of(profile, words, wanted), source)
    try:
        await publisher.open()
        yield publisher
    except ReplacedError:
        raise ReplacedError(
            "an ingest was started and took the candle topics over: what is out is whole, end it "
            "and give the same command again to go on"
        ) from None
    except LostError as error:
        raise LostError(f"{error}: what is out is whole, the same command goes on") from None
    finally:
        await publisher.close()


def _still_there(word: InfraEvent) -> str:
    host, _, rest = word.instance.partition(":")
    return (
        f"ingest runs on {host} (process {rest.partition(':')[0]}, {word.kind} "
        f"{utc(word.at - word.at % 1000)} UTC) and writes these topics: end it first; if it is "
        "dead, --take-over goes on and fences it"
    )


def unfilled(
    profile: Profile, granularities: Iterable[Granularity], filled: set[Granularity]
) -> list[Granularity]:
    """What the profile's engines read beside these granularities and nothing was published of."""
    return [
        each
        for each in plugins.wanted(profile).granularities
        if each not in {*granularities, *filled}
    ]
