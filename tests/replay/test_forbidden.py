"""What the reader of plug-in sources refuses, and what it lets pass."""

import pytest

from chandler.replay.forbidden import forbidden

HONEST = """
import math
from typing import NamedTuple
from chandler.core.evaluator import Tunable, evaluator
from my_plugin.shared import clip

LIMITS = {"low": 1.0}

def half(value: float) -> float:
    parts = [value]
    parts[0] = math.sqrt(value)
    return parts[0] / 2
"""


def test_arithmetic_and_the_core_pass() -> None:
    assert forbidden(HONEST, own={"my_plugin"}) == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import time", "line 1: imports time"),
        ("import os.path", "line 1: imports os.path"),
        ("from random import random", "line 1: imports random"),
        ("import requests", "line 1: imports requests"),
        ("from functools import lru_cache", "line 1: imports functools"),
        ("import math, json", "line 1: imports json"),
        ("def f():\n    return open('candles.csv').read()", "line 2: calls open: it reads a file"),
        ("def f():\n    return eval('1')", "line 2: calls eval"),
        ("def f():\n    return hash('a')", "line 2: calls hash: text has another hash"),
        ("X = 1\ndef f():\n    global X\n    X = 2", "line 3: global X: it keeps something"),
        ("def f(a):\n    f.seen = a", "line 1: f changes f.seen: it keeps something"),
        ("SEEN = {}\ndef f(a):\n    SEEN[a] = 1", "line 2: f changes SEEN[a]: it keeps something"),
        ("async def f():\n    return 1", "line 1: is asynchronous"),
    ],
)
def test_whatever_could_look_ahead_is_a_line(source: str, said: str) -> None:
    (line,) = forbidden(source)

    assert line.startswith(said)
