"""Loads what a service needs: its declaration and the resolved profile."""

import importlib
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from chandler.core.notices.routing import faults
from chandler.exchanges.simulator.config import SimulatorConfig, SimulatorError
from chandler.exchanges.simulator.faults import parse_faults
from chandler.streams.settings import Installation
from services import plugins
from services.declaration import Service
from services.desks import desks
from services.layers import ConfigurationError, Layer, convert, read
from services.profile import Profile
from services.topology import INSTANCES_MAX, ORDER, exists

LATE = ("chandler.streams.admin", "chandler.streams.embedded", "sqlalchemy.pool")  # in functions


class Configuration(NamedTuple):
    """The resolved profile and the layers that it came from."""

    profile: Profile
    layers: list[Layer]


def configuration(
    installation: Installation, environ: Mapping[str, str] = os.environ
) -> Configuration:
    """The profile of this installation; ConfigurationError says what is wrong in one line."""
    layers = read(installation, plugin_defaults(), environ)
    profile = convert(layers)
    _check_whole(profile, installation)
    for fault in faults(profile.users):
        raise ConfigurationError(fault)
    plugins.resolve(profile)  # raises for an engine that can't be
    desks(profile)  # raises for an agent that can't be
    return Configuration(profile, layers)


def plugin_defaults() -> dict[str, Any]:
    """The engines that plug-ins ship, as the weakest layer."""
    engines = plugins.load().engines
    return {"engines": {name: msgspec.to_builtins(each.config) for name, each in engines.items()}}


def _check_whole(profile: Profile, installation: Installation) -> None:
    venue = profile.venue
    if profile.simulator is None and not (venue.rest_url and venue.ws_url):
        raise ConfigurationError(
            f"profile {installation.profile} has no [simulator] and doesn't name venue.rest_url "
            "and venue.ws_url: set them, or add a simulator"
        )
    if installation.topic_prefix and profile.mode == "live":
        raise ConfigurationError(
            "CHANDLER_TOPIC_PREFIX is set and mode is live: with a prefix only paper money starts, "
            "unset one of them"
        )
    if profile.simulator is not None:
        _check_simulator(profile.simulator)
    for service, workers in profile.scale.items():
        if service not in ORDER:
            raise ConfigurationError(
                f"scale.{service}: no such service, expected one of {', '.join(ORDER)}"
            )
        if not 1 <= workers <= INSTANCES_MAX:
            raise ConfigurationError(
                f"scale.{service} is {workers}: expected 1 to {INSTANCES_MAX} workers"
            )
        if workers > 1 and not load_service(service).scalable:
            raise ConfigurationError(
                f"scale.{service} is {workers}: its work can't be shared, expected 1 worker; "
                f"those that can be several: {', '.join(_scalable())}"
            )


def _check_simulator(simulator: SimulatorConfig) -> None:
    """What the simulator would refuse at its start is said before anything starts."""
    try:
        parse_faults(simulator.faults)
    except SimulatorError as error:
        raise ConfigurationError(f"simulator.faults: {error}") from None


def _scalable() -> list[str]:
    return [service for service in ORDER if exists(service) and load_service(service).scalable]


def load_service(name: str) -> Service:
    """The declaration of a service; ConfigurationError if there is none."""
    if not exists(name):
        known = ", ".join(service for service in ORDER if exists(service))
        raise ConfigurationError(f"no service is called {name!r}: expected one of {known or '-'}")
    module = importlib.import_module(f"services.{name}.service")
    found = [value for value in vars(module).values() if isinstance(value, Service)]
    if len(found) != 1 or found[0].name != name:
        raise ConfigurationError(
            f"services/{name}/service.py declares {[s.name for s in found]}: "
            f"expected one Service called {name!r}"
        )
    return found[0]


def load_all() -> None:
    """Loads every service and what they load late, so that it is compiled once: after a set-up."""
    for name in ORDER:
        if exists(name):
            load_service(name)
    for late in LATE:
        importlib.import_module(late)
