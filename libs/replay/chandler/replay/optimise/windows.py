"""Periods that a search is judged by: folds of walk-forward windows, and what it never reads.

The last part is held out. What is before it is cut into equal parts; a fold trains on the parts
before one of them (or, rolling, on the one before it) and is tested on that one. Between what is
trained on and what is tested on lies the purge gap: what was held over the border belongs to
neither.
"""

from collections.abc import Sequence

import msgspec

from chandler.core.granularity import DAY_MS, HOUR_MS, utc

STEPS_MIN = 12  # returns in a window, below which its figures say nothing
DAYS_FOR_DAYS = 20  # windows of at least so many days are measured by days, shorter ones by hours


class WindowError(ValueError):
    """A period can't be cut as asked: one line says what was found and what to do."""


class Window(msgspec.Struct, frozen=True):
    """The samples after `from_ms`, up to and with `to_ms`."""

    from_ms: int
    to_ms: int

    @property
    def length_ms(self) -> int:
        return self.to_ms - self.from_ms


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """Chosen by the one window, judged by the other."""

    train: Window
    test: Window


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """A period as a search sees it."""

    in_sample: Window  # all that a trial reads
    folds: list[Fold]
    hold_out: Window | None  # looked at once, by the winner; None: nothing is held out
    step_ms: int  # of the returns that windows are measured by

    def windows(self) -> list[Window]:
        """Train and test of each fold in turn: what a trial's values are of."""
        return [each for fold in self.folds for each in (fold.train, fold.test)]


def split(
    from_ms: int,
    to_ms: int,
    *,
    folds: int,
    hold_out: float,
    purge_ms: int,
    rolling: bool = False,
) -> Split:
    """Cuts [from, to]; `hold_out`: share of it. Borders are full hours. WindowError: too short."""
    if folds < 1 or not 0 <= hold_out < 1 or purge_ms < 0:
        raise WindowError(
            f"folds {folds}, hold-out {hold_out:.0%}, purge {purge_ms} ms: expected at least 1 "
            "fold, less than 100%, and no negative gap"
        )
    held = round((to_ms - from_ms) * hold_out)
    end = _hour(to_ms - held) if held else to_ms
    parts = folds + 1
    borders = [from_ms, *(_hour(from_ms + (end - from_ms) * k // parts) for k in range(1, parts))]
    borders.append(end)
    made = [
        Fold(
            train=Window(borders[number - 1] if rolling else from_ms, borders[number]),
            test=Window(borders[number] + purge_ms, borders[number + 1]),
        )
        for number in range(1, parts)
    ]
    left = Window(end + purge_ms, to_ms) if held else None
    every = [each for fold in made for each in (fold.train, fold.test)] + ([left] if left else [])
    shortest = min(each.length_ms for each in every)
    if shortest < STEPS_MIN * HOUR_MS:
        raise WindowError(
            f"{utc(from_ms)} to {utc(to_ms)} is too short for {folds} folds, a hold-out of "
            f"{hold_out:.0%} and gaps of {purge_ms / HOUR_MS:g} h: a window would be "
            f"{max(0, shortest) / HOUR_MS:.1f} h long, at least {STEPS_MIN} h are needed; take "
            "more candles, fewer --folds or a smaller --purge"
        )
    return Split(in_sample=Window(from_ms, end), folds=made, hold_out=left, step_ms=_step_ms(every))


def _hour(at_ms: int) -> int:
    return at_ms - at_ms % HOUR_MS


def _step_ms(windows: Sequence[Window]) -> int:
    shortest = min(each.length_ms for each in windows)
    return DAY_MS if shortest >= DAYS_FOR_DAYS * DAY_MS else HOUR_MS
