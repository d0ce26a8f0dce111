"""What an indicator's parameters may be; each error is one line that says what was expected."""

from chandler.core.granularity import Granularity, parse_granularity

PERIOD_MAX = 5_000  # bars; a window this long is kept for each symbol
TUPLE_MAX = 200  # values of a derived series that a state holds


def whole(owner: str, name: str, value: object, low: int = 1, high: int = PERIOD_MAX) -> int:
    """`value` where it is a whole number from `low` to `high`; ValueError otherwise."""
    if type(value) is not int or not low <= value <= high:
        raise ValueError(
            f"{owner}: {name} must be a whole number from {low} to {high}, not {value!r}"
        )
    return value


def positive(owner: str, name: str, value: object, high: float = 1_000.0) -> float:
    """`value` as a float where it is a number above 0 and up to `high`; ValueError otherwise."""
    if type(value) not in (int, float) or not 0.0 < float(str(value)) <= high:
        raise ValueError(f"{owner}: {name} must be a number above 0 up to {high:g}, not {value!r}")
    return float(str(value))


def granularity(on: str | None) -> Granularity | None:
    """The granularity that an indicator is asked for on; None is the engine's base."""
    return None if on is None else parse_granularity(on)
