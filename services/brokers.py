"""Which broker an account has: keys from the environment or a file, the venue from the profile."""

import os

import msgspec

from chandler.core.trading.broker import Broker
from chandler.exchanges.bitget.config import VenueConfig
from chandler.exchanges.bitget.trade.broker import bitget_broker
from chandler.exchanges.simulator.server import SOCKET_PATH
from chandler.streams.settings import PORT_SIMULATOR, Installation
from services.profile import Profile


def broker_of(profile: Profile, installation: Installation, account: str) -> Broker:
    """The broker of a configured account; AccountError if it can't have one. Opens nothing."""
    return bitget_broker(
        account,
        profile.accounts[account],
        data=installation.data,
        environ=os.environ,
        simulator=_simulator(profile, installation),
        simulator_host=installation.simulator_host,
    )


def _simulator(profile: Profile, installation: Installation) -> VenueConfig | None:
    """Where this installation's simulator answers; None without one."""
    if profile.simulator is None:
        return None
    host = f"{installation.simulator_host}:{installation.port(PORT_SIMULATOR)}"
    return msgspec.structs.replace(
        profile.venue,
        rest_url=profile.venue.rest_url or f"http://{host}",
        ws_url=profile.venue.ws_url or f"ws://{host}{SOCKET_PATH}",
    )
