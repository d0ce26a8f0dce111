"""Runs the simulator as a service until it is asked to stop."""

import asyncio

from chandler.exchanges.simulator.config import SimulatorError
from chandler.exchanges.simulator.server import Simulator
from chandler.streams.settings import PORT_SIMULATOR, SettingsError
from services.declaration import Context
from services.profile import Profile

MEASURED_EVERY_S = 1.0


async def run(context: Context) -> None:
    """Serves the profile's simulator; the venue's clock stands still when it has ended."""
    config = context.profile.simulator
    if config is None:
        raise SettingsError(
            f"profile {context.profile.name} has no [simulator]: add one, or don't run it"
        )
    installation = context.installation
    try:
        port = installation.port(PORT_SIMULATOR)
        names = accounts_of(context.profile)
        simulator = await asyncio.to_thread(
            Simulator,
            config,
            installation.data,
            port,
            context.log,
            names,
            installation.http_host,
        )
        async with simulator:
            context.log.info("venue time %d at %g x", simulator.clock.now(), config.speed)
            context.health.ready, context.health.state = True, "ready"
            await _until_stopped(context, simulator)
    except SimulatorError as error:
        raise SettingsError(str(error)) from None
    finally:
        context.health.ready = False


def accounts_of(profile: Profile) -> tuple[str, ...]:
    """Names of the accounts that the profile has at the simulator."""
    return tuple(name for name, account in profile.accounts.items() if account.on_simulator)


async def _until_stopped(context: Context, simulator: Simulator) -> None:
    """Returns on the stop; raises what ended the simulator before."""
    before: dict[str, int] = {}
    failed = asyncio.create_task(simulator.failed(), name="failed")
    stop = asyncio.create_task(context.stop.wait(), name="stop")
    try:
        while not stop.done() and not failed.done():
            await asyncio.wait(
                [failed, stop], timeout=MEASURED_EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
            before = _measure(context, simulator, before)
        if failed.done():
            failed.result()
    finally:
        failed.cancel()
        stop.cancel()


def _measure(context: Context, simulator: Simulator, before: dict[str, int]) -> dict[str, int]:
    state = simulator.state()
    metrics = context.metrics
    metrics.set("chandler_simulator_connections", state["connections"])
    metrics.set("chandler_simulator_subscriptions", state["subscriptions"])
    metrics.set("chandler_simulator_time_seconds", state["now_ms"] / 1000)
    metrics.set("chandler_simulator_speed_ratio", state["speed"])
    counts: dict[str, int] = state["counts"]
    for event, count in counts.items():
        grown = count - before.get(event, 0)
        if grown:
            metrics.add("chandler_simulator_events_total", grown, event=event)
    return counts
