"""Fixtures of all tests: one Kafka for the session, an installation of its own for each test.

CHANDLER_BROKERS names a Kafka to test against, CHANDLER_TEST_KAFKA=container takes one from
Docker; without either it is the embedded one.
"""

import os
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

import msgspec
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis.strategies import from_regex

from chandler.streams import embedded
from chandler.streams.admin import create_topics
from chandler.streams.embedded.probe import free
from chandler.streams.settings import Installation
from chandler.streams.settings import installation as installation_of

PORTS = range(20_000, 31_000, 50)  # bases; above are the ports that the kernel gives to clients
PORTS_OF_AN_INSTALLATION = 48  # with three workers of each service

# How long an example takes says more about the machine than about the code.
hypothesis_settings.register_profile("chandler", deadline=None)
hypothesis_settings.load_profile("chandler")

Topics = Callable[..., Awaitable[list[str]]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="runs the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Python 3.11 can fail to parse a module that is first imported deep inside a test.
    from_regex("x").validate()
    if config.getoption("--long"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: only with --long"))


def free_port_base(ports: int = PORTS_OF_AN_INSTALLATION) -> int:
    """A base above which all ports of an installation are free."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    bases = list(PORTS[worker::workers])  # no two that run side by side look at the same
    random.shuffle(bases)
    return next(base for base in bases if all(free(base + offset) for offset in range(ports)))


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with a running Kafka, shared by the session."""
    settings = {
        **{name: value for name, value in os.environ.items() if name.startswith("CHANDLER_KAFKA_")},
        "CHANDLER_BROKERS": os.environ.get("CHANDLER_BROKERS", ""),
        "CHANDLER_DATA": str(tmp_path_factory.mktemp("kafka")),
        "CHANDLER_PORT_BASE": str(free_port_base()),
    }
    with _container(settings):
        installation = installation_of(settings)
        with embedded.lease(installation):
            yield installation


@pytest.fixture
def installation(kafka: Installation) -> Installation:
    """The session's Kafka under a prefix of this test alone; it has no topics yet."""
    return msgspec.structs.replace(kafka, topic_prefix=f"{secrets.token_hex(4)}.")


@pytest.fixture
def topics(installation: Installation) -> Topics:
    """Creates some topics of the catalogue: `await topics(["signals"], partitions=2)`."""

    async def create(names: Iterable[str], partitions: int = 4) -> list[str]:
        return await create_topics(installation, partitions, 1, names)

    return create


@contextmanager
def _container(settings: dict[str, str]) -> Iterator[None]:
    """Puts a container's address into `settings` where one is asked for."""
    if settings["CHANDLER_BROKERS"] or os.environ.get("CHANDLER_TEST_KAFKA") != "container":
        yield
        return
    from tests.kafka.container import running_container

    with running_container(int(settings["CHANDLER_PORT_BASE"])) as address:
        settings["CHANDLER_BROKERS"] = address
        yield
