"""Where Bitget is and how fast its clock runs."""

from urllib.parse import urlsplit

import msgspec


class VenueConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """URLs empty: the simulator of this installation if the profile has one, else the real venue.

    A profile without a simulator must name the URLs itself: never a silent fall-back.
    """

    rest_url: str = ""  # https://api.bitget.com
    ws_url: str = ""  # wss://ws.bitget.com/v2/ws/public
    requests_per_second_max: int = 20  # of the venue's clock, per endpoint and IP
    product_type: str = "USDT-FUTURES"
    # By how much one symbol's tickers may come after another's of the same time; venue's clock at
    # 1x. None: 500, and 0 on the simulator, whose ticks come in the order of their times.
    ticker_slack_ms: int | None = None


def is_local(url: str) -> bool:
    """Whether `url` is on this machine, so that no proxy stands between."""
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
