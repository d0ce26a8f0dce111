"""Where an account's venue is: the real one, its demo trading, or the simulator."""

from typing import Literal
from urllib.parse import urlsplit

import msgspec

from chandler.core.trading.agents import AccountConfig
from chandler.core.trading.broker import AccountError
from chandler.exchanges.bitget.config import VenueConfig, is_local

REST_URL = "https://api.bitget.com"
SOCKET_URL = "wss://ws.bitget.com"
DEMO_SOCKET_URL = "wss://wspap.bitget.com"


class TradeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a broker needs to know beside the keys. URLs without a path."""

    rest_url: str
    ws_url: str
    demo: bool = False  # demo trading: header `paptrading`
    simulated: bool = False  # the venue's clock is not the wall's, its signatures' is
    margin_mode: Literal["crossed", "isolated"] = "crossed"
    product_type: str = "USDT-FUTURES"
    margin_coin: str = "USDT"


def trade_config(
    account: AccountConfig, simulator: VenueConfig | None, simulator_host: str = ""
) -> TradeConfig:
    """The venue of an account. `simulator`: this installation's, where there is one.

    It is on this machine, or on `simulator_host` where the installation names one (a container).
    Never a silent fall-back: an account says `on_simulator` or trades at the real venue.
    """
    if not account.on_simulator:
        return TradeConfig(
            rest_url=REST_URL,
            ws_url=DEMO_SOCKET_URL if account.demo else SOCKET_URL,
            demo=account.demo,
            margin_mode=account.margin_mode,
        )
    if simulator is None or not (
        is_local(simulator.rest_url) or urlsplit(simulator.rest_url).hostname == simulator_host
    ):
        found = simulator.rest_url if simulator else "none"
        raise AccountError(
            f"the account is on_simulator and the profile's simulator is {found}: expected one "
            "on this machine or at CHANDLER_SIMULATOR_HOST; enable it, or set on_simulator = false "
            "for the real venue"
        )
    socket = urlsplit(simulator.ws_url)
    return TradeConfig(
        rest_url=simulator.rest_url,
        ws_url=f"{socket.scheme}://{socket.netloc}",
        demo=account.demo,
        simulated=True,
        margin_mode=account.margin_mode,
        product_type=simulator.product_type,
    )
