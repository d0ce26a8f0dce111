"""Figures, times and reasons as people read them, plain. Whatever comes in, a text comes out."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from chandler.core.granularity import DAY_MS, HOUR_MS, MINUTE_MS, utc
from chandler.core.trading.money import ONE, PERCENT, places, ratio, shown, times

LINE_MAX = 300  # characters of one line of a notice
NAME_MAX = 60  # of a name of somebody else's: a symbol, a service, a cause
DIGITS_MAX = 40  # before and after the point
HUNDRED = Decimal(100)
SMALL = Decimal("0.0001")
PRICE_DIGITS = 6  # that count, of a price; all before the point are shown
ROUGH = Context(prec=PRICE_DIGITS, rounding=ROUND_HALF_EVEN)
SECOND_MS = 1_000
REASONS = {
    "person": "closed by a person",
    "opposite": "opposite signal",
    "trailing": "trailing stop",
    "dca": "DCA",
    "liquidated": "liquidation",
}


def one_line(text: str, longest: int = LINE_MAX) -> str:
    """Without line ends and at most so long: … says that something was cut off."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def called(name: str) -> str:
    """A name of somebody else's, short enough for a head."""
    return one_line(name, NAME_MAX) or "(no name)"


def number(value: Decimal) -> str:
    """A size, a rate, with all its digits. ArithmeticError where it is none of these."""
    digits = value.as_tuple().exponent if value.is_finite() else None
    if not isinstance(digits, int) or digits < -DIGITS_MAX or value.adjusted() > DIGITS_MAX:
        raise ArithmeticError("expected a number that people write down")
    return shown(value)


def price(value: Decimal | None) -> str:
    """A price by six digits that count, or that there is none. ArithmeticError as of `number`."""
    if value is None:
        return "none"
    number(value)
    whole = value.adjusted() + 1 - PRICE_DIGITS
    if whole > 0:
        return number(value.quantize(ONE))
    rounded = ROUGH.create_decimal(value)
    return number(rounded)


def moment(at_ms: int) -> str:
    """A time, UTC; the number itself where no calendar has it."""
    try:
        return f"{utc(at_ms)} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{at_ms} ms"


def lasting(ms: int) -> str:
    """A span of time: 41 s, 12 min, 3 h 5 min, 2 d 4 h."""
    if ms < MINUTE_MS:
        return f"{max(0, ms) // SECOND_MS} s"
    if ms < HOUR_MS:
        return f"{ms // MINUTE_MS} min"
    if ms < DAY_MS:
        return f"{ms // HOUR_MS} h {ms % HOUR_MS // MINUTE_MS} min"
    return f"{ms // DAY_MS} d {ms % DAY_MS // HOUR_MS} h"


def money(value: Decimal) -> str:
    """Quote coin, to two places from 1 on, to four below. ArithmeticError where it is no number."""
    rounded = places(value)
    if abs(rounded) < ONE:
        rounded = rounded.quantize(SMALL)
    return number(rounded.quantize(PERCENT) if abs(rounded) >= ONE else rounded)


def signed(value: Decimal) -> str:
    """The same with its sign, a gain with + too."""
    text = money(value)
    return text if value <= 0 or text == "0" else f"+{text}"


def per_cent(part: Decimal, whole: Decimal) -> str:
    """A share with its sign: "+0.62 %"; "" where the whole is nothing."""
    if whole <= 0:
        return ""
    value = ratio(times(part, HUNDRED), whole).quantize(PERCENT)
    text = shown(value)
    return f"+{text} %" if value > 0 else f"{text} %"


def result(pnl: Decimal, entered: Decimal) -> str:
    """PnL and its share of the entry notional: "+12.5 (+0.62 %)"."""
    share = per_cent(pnl, entered)
    return f"{signed(pnl)} ({share})" if share else signed(pnl)


def in_words(reason: str) -> str:
    """A reason of the desk or the watch: "take_profit" is "take profit"."""
    return one_line(REASONS.get(reason) or reason.replace("_", " ")) or "no reason given"


def counted(counts: dict[str, int], words: dict[str, str]) -> str:
    """How many of what, the most first: "9 × refusal, 3 × entry"."""
    ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return listed(ordered, words)


def listed(counts: dict[str, int], words: dict[str, str]) -> str:
    """How many of what, in the order of the counts."""
    return ", ".join(f"{count} × {words.get(each, each)}" for each, count in counts.items())


def utc_day(at_ms: int) -> str:
    """The day of a time: 2024-01-05; the number itself where no calendar has it."""
    return moment(at_ms).removesuffix(" UTC").removesuffix(" 00:00")
