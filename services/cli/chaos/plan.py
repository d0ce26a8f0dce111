"""What a chaos run does to whom, and when: all of it from one seed."""

import random
from typing import Literal, NamedTuple

Target = Literal["executor", "positions", "pump_guard", "recorder", "kafka", "connection"]

# How often each is struck, by hundred.
WEIGHTS: dict[Target, int] = {
    "executor": 40,
    "positions": 20,
    "pump_guard": 10,
    "recorder": 10,
    "kafka": 4,
    "connection": 16,
}
PAUSE_S_MIN, PAUSE_S_MAX = 0.2, 4.0  # between two strikes
POINT_PASSES_MAX = 3  # a point ends the executor at its first, second or third pass


class Strike(NamedTuple):
    """SIGKILL to a target, or the venue's connections cut, after a pause."""

    after_s: float
    target: Target
    point: str = ""  # "commit.before:2": the executor ends itself there; "": at once


def plan(
    seed: int,
    kills: int,
    points: tuple[str, ...],
    rounds: int = 1,
    pause_s_max: float = PAUSE_S_MAX,
) -> list[Strike]:
    """`kills` random strikes, with each named point `rounds` times among them."""
    chance = random.Random(seed)
    targets, weights = list(WEIGHTS), list(WEIGHTS.values())
    strikes = [
        Strike(round(chance.uniform(PAUSE_S_MIN, pause_s_max), 3), target)
        for target in chance.choices(targets, weights, k=kills)
    ]
    armed = [
        Strike(
            round(chance.uniform(PAUSE_S_MIN, pause_s_max), 3),
            "executor",
            f"{name}:{chance.randint(1, POINT_PASSES_MAX)}",
        )
        for name in points * rounds
    ]
    for strike in armed:
        strikes.insert(chance.randint(0, len(strikes)), strike)
    return strikes
