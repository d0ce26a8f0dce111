"""Symbols with their prices, candles, indicators, and the market over its windows."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query

from chandler.core.events import CandleSealed, MarketView, Symbol
from chandler.core.granularity import INTERVAL_MS, Granularity, by_length, last_close
from chandler.core.trading.money import AmountError, amount
from services.gateway.caller import Caller, at_least, parts_of
from services.gateway.lookups import found, stale
from services.gateway.parts import Parts
from services.gateway.problems import Problem, refusals
from services.gateway.shapes.forms import Known
from services.gateway.shapes.market import (
    Candle,
    Candles,
    CandlesAsked,
    IndicatorRows,
    Indicators,
    OfSymbol,
    Ranked,
    SymbolRow,
    Symbols,
    Window,
)
from services.layers import nearest

router = APIRouter(tags=["market"])
Reader = Annotated[Caller, at_least("viewer", "read")]
Here = Annotated[Parts, Depends(parts_of)]
READERS_MAX = 4  # of candles at once; the others wait
CANDLES_S = 10.0
WINDOWS = ("5m", "1h", "24h")

E = TypeVar("E")
Read = Callable[[Symbol, Granularity, int, int], Awaitable[list[E]]]


@router.get("/symbols", responses=refusals(401, 403, 503))
async def symbols(_: Reader, parts: Here, asked: Annotated[OfSymbol, Query()]) -> Symbols:
    """Symbols that are followed: steps, newest prices, change over 24 hours."""
    trouble = stale(parts, "lately", "desk", "scanned")
    views = parts.views
    known = sorted(views.symbols())
    wanted = asked.symbol.upper()
    return Symbols(
        items=[_symbol(parts, Symbol(name)) for name in known if wanted in ("", name)],
        at_ms=views.clock_ms(),
        stale=trouble,
        granularities=list(by_length({each for _, each in _lanes(parts)})),
    )


@router.get("/candles", responses=refusals(401, 403, 404, 503))
async def candles(_: Reader, parts: Here, asked: Annotated[CandlesAsked, Query()]) -> Candles:
    """Sealed candles in order of time, the newest ones or those that opened before a time."""
    symbol, granularity, close_ms = _asked(parts, asked)
    rows = await _read(parts, parts.sources.candles, symbol, granularity, close_ms, asked.limit)
    return Candles(
        symbol=symbol,
        granularity=granularity,
        items=[_candle(each) for each in rows],
        before_ms=rows[0].open_ms if rows else 0,
    )


@router.get("/indicators", responses=refusals(401, 403, 404, 503))
async def indicators(
    _: Reader, parts: Here, asked: Annotated[CandlesAsked, Query()]
) -> IndicatorRows:
    """Indicator values by close, in order of time, as far as the topic keeps them (7 days)."""
    symbol, granularity, close_ms = _asked(parts, asked)
    rows = await _read(parts, parts.sources.indicators, symbol, granularity, close_ms, asked.limit)
    return IndicatorRows(
        symbol=symbol,
        granularity=granularity,
        items=[Indicators(close_ms=each.close_ms, values=each.values) for each in rows],
        before_ms=rows[0].close_ms - INTERVAL_MS[granularity] if rows else 0,
    )


@router.get("/market", responses=refusals(401, 403, 503))
async def market(_: Reader, parts: Here) -> Known[Window]:
    """Movers, leaders, volatility and breadth, by window."""
    trouble = stale(parts, "lately")
    views = parts.views.lately.windows.values()
    order = {name: place for place, name in enumerate(WINDOWS)}
    ordered = sorted(views, key=lambda each: (order.get(each.window, 9), each.window))
    return Known[Window](
        items=[_window(each) for each in ordered], at_ms=parts.views.clock_ms(), stale=trouble
    )


def symbol_of(parts: Parts, name: str) -> Symbol:
    """A symbol that is followed; Problem 404 where none is called so."""
    symbol = name.upper()
    known = parts.views.symbols()
    if symbol in known:
        return Symbol(symbol)
    stale(parts, "lately")
    hint = nearest(symbol, sorted(known))
    raise Problem(
        404, "unknown_symbol", f"no symbol is called so{hint}: {len(known)} are, see /v1/symbols"
    )


def _asked(parts: Parts, asked: CandlesAsked) -> tuple[Symbol, Granularity, int]:
    """What is looked for, up to which close."""
    symbol, granularity = symbol_of(parts, asked.symbol), Granularity(asked.granularity)
    newest = last_close(parts.views.clock_ms(), granularity)
    close_ms = parts.views.lately.closes.get((symbol, granularity), newest)
    if asked.before_ms:
        step = INTERVAL_MS[granularity]
        # The last slot that opened before closes at the next multiple of a step.
        close_ms = min(close_ms, -(-asked.before_ms // step) * step)
    return symbol, granularity, close_ms


async def _read(
    parts: Parts,
    read: Read[E],
    symbol: Symbol,
    granularity: Granularity,
    close_ms: int,
    limit: int,
) -> list[E]:
    async def one_of_few() -> list[E]:
        async with parts.recent.few("candles", READERS_MAX):
            return await read(symbol, granularity, close_ms, limit)

    return await found(one_of_few(), CANDLES_S)


def _lanes(parts: Parts) -> list[tuple[str, Granularity]]:
    return [(symbol, Granularity(each)) for symbol, each in parts.views.lately.closes]


def _symbol(parts: Parts, name: Symbol) -> SymbolRow:
    views = parts.views
    instrument = views.scanned.instruments.get(name)
    ticker = views.desk.ticker(name)
    pump = views.scanned.pumps.get(name)
    change = None
    if ticker is not None:
        before, last = views.scanned.day_open(name, ticker.at), _amount(ticker.last)
        change = round(float(last) / before - 1, 6) if before and last else None
    return SymbolRow(
        symbol=name,
        status=instrument.status if instrument else "",
        price_step=_amount(instrument.price_step) if instrument else None,
        size_step=_amount(instrument.size_step) if instrument else None,
        size_min=_amount(instrument.size_min) if instrument else None,
        notional_min=_amount(instrument.notional_min) if instrument else None,
        taker_fee=_amount(instrument.taker_fee) if instrument else None,
        maker_fee=_amount(instrument.maker_fee) if instrument else None,
        leverage_max=instrument.leverage_max if instrument else None,
        last=_amount(ticker.last) if ticker else None,
        bid=_amount(ticker.bid) if ticker else None,
        ask=_amount(ticker.ask) if ticker else None,
        mark=_amount(ticker.mark) if ticker else None,
        at=ticker.at if ticker else 0,
        change=change,
        pump=pump.pump if pump else "",
    )


def _amount(text: str) -> Decimal | None:
    """None for what the venue has no number for."""
    try:
        return amount(text)
    except AmountError:
        return None


def _candle(each: CandleSealed) -> Candle:
    return Candle(
        open_ms=each.open_ms,
        open=each.open,
        high=each.high,
        low=each.low,
        close=each.close,
        volume=each.volume,
        quote_volume=each.quote_volume,
    )


def _window(view: MarketView) -> Window:
    def ranked(rows: list[tuple[Symbol, float]]) -> list[Ranked]:
        return [Ranked(symbol=symbol, value=value) for symbol, value in rows]

    return Window(
        window=view.window,
        at=view.at,
        symbols=view.symbols,
        movers_up=ranked(view.movers_up),
        movers_down=ranked(view.movers_down),
        leaders=ranked(view.leaders),
        volatility=ranked(view.volatility),
        up=view.up,
        down=view.down,
        above_ema=view.above_ema,
    )
