"""Bitget's spellings: channels, granularities, contracts."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from chandler.core.events import FundingRate, Instrument, Symbol
from chandler.core.granularity import INTERVAL_MS, Granularity
from chandler.exchanges.bitget.errors import MalformedFrame

TICKER = "ticker"

# Plain 6H, 12H, 1D… open at 16:00 UTC (bitget-api §1.3); their utc variants are the ones we mean.
_REST_SPELLING = {Granularity("1D"): "1Dutc"}
_REST = {granularity: _REST_SPELLING.get(granularity, granularity) for granularity in INTERVAL_MS}
CHANNEL = {granularity: "candle" + spelling for granularity, spelling in _REST.items()}
GRANULARITY = {channel: granularity for granularity, channel in CHANNEL.items()}


def channel_of(granularity: Granularity) -> str:
    """The candle channel: 1m → candle1m, 1D → candle1Dutc."""
    return CHANNEL[granularity]


def granularity_of(channel: str) -> Granularity | None:
    """The granularity of a candle channel that we use; None for any other channel."""
    return GRANULARITY.get(channel)


def rest_granularity(granularity: Granularity) -> str:
    """The word that REST takes: 1m → 1m, 1D → 1Dutc."""
    return _REST[granularity]


# Put together from the venue's field table (bitget-api §3.3), not seen on the wire; cut:
# {"symbol":"BTCUSDT","baseCoin":"BTC","quoteCoin":"USDT","makerFeeRate":"0.0002",
#  "takerFeeRate":"0.0006","minTradeNum":"0.0001","priceEndStep":"1","volumePlace":"4",
#  "pricePlace":"1","sizeMultiplier":"0.0001","symbolType":"perpetual","minTradeUSDT":"5",
#  "symbolStatus":"normal","maxLever":"150",…}
def instrument(contract: Any, seen_at: int) -> Instrument:
    """The core's event for one row of `contracts`; MalformedFrame if a field can't be used."""
    tick = _decimal(contract, "priceEndStep", above_zero=True)
    places = _decimal(contract, "pricePlace")
    if places != places.to_integral_value() or not 0 <= places <= 30:
        raise MalformedFrame(f"contract {_name(contract)}: pricePlace is {places}, not 0 to 30")
    return Instrument(
        symbol=_name(contract),
        price_step=_plain(tick.scaleb(-int(places))),
        size_step=_plain(_decimal(contract, "sizeMultiplier", above_zero=True)),
        size_min=_plain(_decimal(contract, "minTradeNum")),
        notional_min=_plain(_decimal(contract, "minTradeUSDT")),
        maker_fee=_plain(_decimal(contract, "makerFeeRate")),
        taker_fee=_plain(_decimal(contract, "takerFeeRate")),
        leverage_max=int(_decimal(contract, "maxLever", above_zero=True)),
        status=str(contract.get("symbolStatus") or contract.get("status") or ""),
        seen_at=seen_at,
    )


def is_perpetual(contract: Any) -> bool:
    """Whether the contract is one that we trade; delivery contracts are not."""
    return isinstance(contract, Mapping) and str(
        contract.get("symbolType", "perpetual")
    ).lower() in ("perpetual", "1")


# Put together from the venue's field list (bitget-api §3.2), not seen on the wire:
# {"symbol":"BTCUSDT","fundingRate":"0.000068","fundingRateInterval":"8",
#  "nextUpdate":"1743062400000","minFundingRate":"-0.003","maxFundingRate":"0.003"}
def funding_rate(row: Any, seen_at: int) -> FundingRate:
    """The core's event for one row of `current-fund-rate`; MalformedFrame if it can't be used."""
    return FundingRate(
        symbol=_name(row),
        rate=_plain(_decimal(row, "fundingRate")),
        interval_h=int(_decimal(row, "fundingRateInterval", above_zero=True)),
        next_ms=int(_decimal(row, "nextUpdate", above_zero=True)),
        seen_at=seen_at,
    )


def _name(row: Any) -> Symbol:
    name = row.get("symbol") if isinstance(row, Mapping) else None
    if not isinstance(name, str) or not name:
        raise MalformedFrame(f"a row without a symbol: {str(row)[:80]}")
    return Symbol(name)


def _decimal(row: Any, field: str, *, above_zero: bool = False) -> Decimal:
    symbol = _name(row)
    try:
        number = Decimal(str(row.get(field)))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > 30 or (above_zero and number <= 0):
        found = repr(row.get(field))[:40]
        raise MalformedFrame(f"{symbol}: {field} is {found}, expected a number")
    return number


def _plain(number: Decimal) -> str:
    """Without exponent and without trailing zeros: 1E-5 → 0.00001, 0.10 → 0.1."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
