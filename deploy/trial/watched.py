"""What is waited for: a first signal, a first fill, a service that is back, candles that go on."""

import json
import time
from collections.abc import Callable
from typing import Any

from deploy.trial.engine import LOOK_S, Compose, TrialError, answer, kill, logs

SEEN_S_MAX = 180.0
BACK_S_MAX = 120.0
AGES = ("age_ms",)  # of a position: what passes while nothing happens


def until(compose: Compose, what: str, found: Callable[[], Any], limit_s: float) -> Any:
    """The first answer that is something; TrialError when there is none in time."""
    limit_s *= compose.patience
    end = time.monotonic() + limit_s
    while not (answered := found()):
        if time.monotonic() > end:
            raise TrialError(f"{what}: expected within {limit_s:.0f} s, not seen")
        time.sleep(LOOK_S)
    return answered


def first_signal(compose: Compose) -> Any:
    """Signals that the recorder has read, by its metrics."""
    until(
        compose,
        "a first signal",
        lambda: compose.metrics("recorder").get("chandler_recorder_signals_total"),
        SEEN_S_MAX,
    )


def fills(compose: Compose) -> int:
    """Of the demo's account at the simulator, by the simulator's own books."""
    found = answer(f"{compose.simulator}/admin/accounts/fills?account=simulator")
    return len(found or [])


def messages(compose: Compose) -> int:
    """That the page in Telegram's place shows."""
    chats = answer(f"{compose.telegram}/control/chats")
    return sum(chat["messages"] for chat in chats or [])


def sealed(compose: Compose) -> float:
    """Candles that this ingest has sealed since it began."""
    return compose.metrics("ingest").get("chandler_ingest_sealed_total", 0.0)


def candles_go_on(compose: Compose) -> None:
    """Waits for one more sealed candle than there is now."""
    before = sealed(compose)
    until(compose, "one more candle", lambda: sealed(compose) > before, SEEN_S_MAX)


def killed(compose: Compose, service: str, image: str) -> float:
    """kill -9 of its process 1; seconds until the engine has started it anew and it is healthy."""
    before = compose.state(service)
    begun = time.monotonic()
    kill(image, before["State"]["Pid"])

    def back() -> bool:
        state = compose.state(service)
        again = state["State"]["StartedAt"] != before["State"]["StartedAt"]
        return again and compose.healthy(service)

    until(compose, f"{service} after kill -9", back, BACK_S_MAX)
    return time.monotonic() - begun


def all_healthy(compose: Compose) -> float:
    """Seconds until every service is."""
    begun = time.monotonic()
    names = compose.services()

    def well() -> bool:
        return all(compose.healthy(name) for name in names)

    until(compose, "every service healthy", well, BACK_S_MAX)
    return time.monotonic() - begun


def standing(compose: Compose) -> dict[str, Any]:
    """Positions and balances as the topics have them, without what depends on the time of asking.

    Only Kafka may be running: then nothing changes between two calls.
    """
    positions = json.loads(compose.inside("executor", "chandler", "positions", "--json"))
    agents = json.loads(compose.inside("executor", "chandler", "agents", "--json"))
    return {
        "positions": [
            {name: value for name, value in row.items() if name not in AGES}
            for row in positions["positions"]
        ],
        "balances": {name: row["balance"] for name, row in agents["agents"].items()},
    }


def line_with(compose: Compose, service: str, words: tuple[str, ...]) -> str:
    """The first line of its container's log that has one of these; "" while there is none."""
    lines = logs(compose.container(service))
    return next((line for line in lines if any(word in line for word in words)), "")


def said(compose: Compose, service: str) -> str:
    """The last line of its container's log."""
    lines = logs(compose.container(service), "--tail", "1")
    return lines[-1] if lines else ""
