"""Signals, movers of the market, and candles with what is open in them."""

from urllib.parse import quote

from chandler.core.events import CandleSealed, MarketView, Signal, Symbol
from chandler.core.granularity import INTERVAL_MS, Granularity, last_close, parse_granularity
from chandler.core.notices.text import Line
from chandler.core.notices.words import called, in_words, moment, one_line, price
from chandler.core.trading.money import AmountError, from_float, shown
from services.following.sources import UnanswerableError
from services.layers import nearest
from services.notifier.answering.asked import Asked, cut, head, listed, short, warned
from services.notifier.answering.standing import open_of
from services.showing.figures import AVERAGE
from services.showing.standing import OpenRow

SIGNALS_USUAL = 10
RANKS = 5
CANDLES = 100
WINDOWS = ("5m", "1h", "24h")
GRANULARITY_USUAL = Granularity("5m")
LEVELS_MAX = 5  # positions that a picture of candles shows


async def signals(asked: Asked) -> list[Line]:
    """The newest signals of the engines, and of people and programs."""
    query = asked.query
    found = [
        each
        for each in asked.views.lately.signals()
        if query.symbol in ("", each.symbol)
        and query.engine in ("", each.source)
        and _for(asked, each)
    ]
    trouble = asked.views.trouble("lately")
    if not found:
        return warned([Line("No signals yet.")], trouble)
    rows = [_signal(each) for each in found[: asked.count(SIGNALS_USUAL)]]
    return warned([head("Newest signals"), *rows], trouble)


async def market(asked: Asked) -> list[Line]:
    """What moved most, by window."""
    views = asked.views.lately.windows
    trouble = asked.views.trouble("lately")
    if not views:
        return warned([Line("Nothing yet: the views come with the first closes.")], trouble)
    names = sorted(views, key=lambda name: (WINDOWS.index(name) if name in WINDOWS else 9, name))
    return warned(listed([_window(views[name]) for name in names]), trouble)


async def candles(asked: Asked) -> tuple[list[Line], str]:
    """The newest candles of a symbol, and what to draw: they, and what is open there."""
    symbol, granularity = _symbol(asked), _granularity(asked)
    newest = last_close(asked.views.clock_ms(), granularity)
    close_ms = asked.views.lately.closes.get((symbol, granularity), newest)
    found = await asked.sources.candles(symbol, granularity, close_ms, CANDLES)
    if not found:
        raise UnanswerableError(
            f"candles.{granularity} holds no candles of {symbol}: ask for another length of "
            f"{' '.join(INTERVAL_MS)}, or wait for the next close"
        )
    rows = sorted(open_of(asked), key=lambda row: row.agent)
    lines = [
        head(f"{symbol} {granularity}: {_figure(found[-1].close)} ({_change(found)})"),
        Line(f"up to {moment(found[-1].close_ms)}, {len(found)} candles"),
        *listed([[_level_line(row)] for row in rows]),
    ]
    levels = [level_of(row) for row in rows[:LEVELS_MAX]]
    spec = " ".join(("candles", symbol, granularity, str(found[-1].close_ms), *levels))
    return warned(lines, asked.views.trouble("lately")), spec


def level_of(row: OpenRow) -> str:
    """An open position as a picture's words: agent|side|entry|stop, without a blank in it."""
    stop = "" if row.stop is None else shown(row.stop)
    entry = shown(AVERAGE.create_decimal(row.entry))
    return "|".join((quote(row.agent, safe=""), row.side, entry, stop))


def _for(asked: Asked, signal: Signal) -> bool:
    """Whether it is nobody's in particular, or of an agent that is shown."""
    return not signal.agents or any(map(asked.sees, signal.agents))


def _signal(each: Signal) -> Line:
    what = f"{short(each.close_ms)} {called(each.symbol)} {each.side} {each.strength:.2f}"
    return Line(one_line(f"{what}, {in_words(each.source)}: {each.reason}"))


def _window(view: MarketView) -> list[Line]:
    lines = [head(f"{called(view.window)}, {view.symbols} symbols, {moment(view.at)}")]
    for name, ranked in (("up", view.movers_up), ("down", view.movers_down)):
        ranks = ", ".join(f"{called(symbol)} {change:+.2%}" for symbol, change in ranked[:RANKS])
        lines.append(Line(f"{name}: {ranks or 'none'}"))
    volumes = ", ".join(f"{called(each)} {volume:,.0f}" for each, volume in view.leaders[:RANKS])
    breadth = f"rose {view.up:.0%}, fell {view.down:.0%}, above EMA {view.above_ema:.0%}"
    return [*lines, Line(f"volume: {volumes or 'none'}"), Line(breadth)]


def _symbol(asked: Asked) -> Symbol:
    wanted, known = asked.query.symbol, asked.views.symbols()
    if not wanted:
        raise UnanswerableError("which symbol? name one, such as BTCUSDT")
    if wanted in known:
        return Symbol(wanted)
    if trouble := asked.views.trouble("lately"):
        raise UnanswerableError(f"whether there is a {cut(wanted)} is not known now: {trouble}")
    raise UnanswerableError(
        f"no symbol is called {cut(wanted)!r}{nearest(wanted, sorted(known))}: "
        f"{len(known)} are followed, see the market"
    )


def _granularity(asked: Asked) -> Granularity:
    if not asked.query.granularity:
        return GRANULARITY_USUAL
    try:
        return parse_granularity(asked.query.granularity)
    except ValueError:
        raise UnanswerableError(
            f"no candles are {cut(asked.query.granularity)!r} long: expected one of "
            f"{' '.join(INTERVAL_MS)}"
        ) from None


def _figure(value: float) -> str:
    try:
        return price(from_float(value))
    except (AmountError, ArithmeticError):
        return f"{value:g}"


def _change(found: list[CandleSealed]) -> str:
    first, last = found[0].open, found[-1].close
    return f"{last / first - 1:+.2%} over these" if first > 0 else "no change known"


def _level_line(row: OpenRow) -> Line:
    stop = "no stop" if row.stop is None else f"stop {price(row.stop)}"
    return Line(f"{called(row.agent)} {row.side} from {price(row.entry)}, {stop}")
