"""Walk-forward: in each fold, what the choice by the train window did in the test window."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from chandler.replay.optimise.windows import Fold

EFFICIENCY_MAX = 2.0  # either way


class Walked(msgspec.Struct, frozen=True, kw_only=True):
    """One fold."""

    fold: Fold
    trial: int  # the best in the train window
    train: float  # its value there
    test: float  # and then
    best_test: float  # the best that any trial did in the test window: what could not be known


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """All folds."""

    folds: list[Walked]
    efficiency: float | None  # mean test / mean train; None: see `walk_forward`


def walk_forward(folds: Sequence[Fold], trials: Mapping[int, Sequence[float]]) -> Walk:
    """`trials`: number → values, as `Split.windows` orders them; the lower number wins a tie.

    There is no efficiency where the train mean isn't above 0, or where it is so near to 0 that the
    test mean is more than EFFICIENCY_MAX times as far from it: such a quotient tells how small its
    divisor is, and nothing of the tests.
    """
    walked: list[Walked] = []
    for place, fold in enumerate(folds if trials else ()):
        train, test = 2 * place, 2 * place + 1
        best = min(trials, key=lambda number: (-trials[number][train], number))
        walked.append(
            Walked(
                fold=fold,
                trial=best,
                train=trials[best][train],
                test=trials[best][test],
                best_test=max(values[test] for values in trials.values()),
            )
        )
    trained = math.fsum(each.train for each in walked)
    tested = math.fsum(each.test for each in walked)
    told = trained > 0.0 and abs(tested) <= EFFICIENCY_MAX * trained
    return Walk(folds=walked, efficiency=tested / trained if told else None)
