"""One indicator over a symbol's whole history: its own step, ready and value, compiled.

Bars are those of sealed candles; a slot that the venue lacks has no bar, as in the live fold.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chandler.core.indicators.spec import Bars, Indicator
from chandler.replay.dense.native import is_shipped, kernel

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

TEXT = """
def kernel(start, bars, params, out, known):
    state = start
    for i in range(known.shape[0]):
        state = step(state, bars, i, *params)
{unsound}
        if ready(state, *params):
            found = value(state, *params)
{store}
"""
# A plug-in's state that would not survive JSON starts anew, as it does live.
UNSOUND = """\
        if not ({sound}):
            state = start"""
STORE_ONE = """\
            out[0, i] = found
            known[i] = -inf < found < inf"""
STORE_ALL = """\
            finite = True
            for field in range(out.shape[0]):
                number = found[field]
                out[field, i] = number
                finite = finite and -inf < number < inf
            known[i] = finite"""


class History(NamedTuple):
    """An indicator's values at each bar."""

    values: Floats  # one row per field, one column per bar
    known: Flags  # whether it is warm there and all its fields are finite


def history(indicator: Indicator, bars: Bars) -> History:
    """The indicator's values at each bar; SubsetError where it can't be compiled.

    Whatever it raises comes through: live it would be told as a fault and start anew.
    """
    count = len(bars.close)
    out = np.zeros((len(indicator.fields) or 1, count))
    known = np.zeros(count, np.bool_)
    if count:
        run = _kernel(indicator)
        run(indicator.start, bars, indicator.params, out, known)
    return History(out, known)


@cache
def _kernel(indicator: Indicator) -> Any:
    functions = {"step": indicator.step, "ready": indicator.ready, "value": indicator.value}
    unsound = ""
    if not is_shipped(indicator.step):
        sound = " and ".join(_finite("state", indicator.start)) or "True"
        unsound = UNSOUND.format(sound=sound)
    store = STORE_ALL if indicator.fields else STORE_ONE
    text = TEXT.format(store=store, unsound=unsound)
    return kernel("indicator", text, functions, {"inf": np.inf})


def _finite(name: str, shape: Any) -> list[str]:
    """Conditions under which every float of a state of that shape is finite."""
    if isinstance(shape, tuple):
        return [each for k, part in enumerate(shape) for each in _finite(f"{name}[{k}]", part)]
    return [f"-inf < {name} < inf"] if type(shape) is float else []
