"""The parts of the trial: images, start, kills, down and up, Kafka away, one's own engine."""

import json
import time
from collections.abc import Iterator

from deploy.trial import watched
from deploy.trial.engine import (
    BUILD_S_MAX,
    IMAGE,
    ROOT,
    Compose,
    TrialError,
    build,
    docker,
    megabytes,
)
from deploy.trial.figures import Figure

SERVICES, KAFKA, BACKTESTS = IMAGE, "chandler-kafka:local", "chandler-backtests:local"
MEGABYTES_MAX = {SERVICES: 350.0, BACKTESTS: 800.0}
HEALTHY_S_MAX = 90.0
OWN = "chandler-own:local"
OWN_ENGINE = ROOT / "benchmarks" / "plugins" / "always.py"


def images(*, build_them: bool, offline: bool, backtests: bool) -> Iterator[Figure]:
    """How long each took, how large it is, and that nothing in it installs."""
    wanted = [("services", SERVICES)]
    wanted += [("kafka", KAFKA)] if offline else []
    wanted += [("backtests", BACKTESTS)] if backtests else []
    for target, tag in wanted:
        if build_them:
            yield Figure("images", f"build {target}", build(target, tag), "s")
        yield Figure("images", f"size {target}", megabytes(tag), "MB", MEGABYTES_MAX.get(tag))
    code = (
        "import os, shutil, importlib.util as u; tools = ['gcc', 'cc', 'uv', 'pip', 'pip3']; "
        "found = [t for t in tools if shutil.which(t)] + [m for m in ['pip'] if u.find_spec(m)]; "
        "print(os.getuid(), *found)"
    )
    who, *tools = docker(
        "run", "--rm", "--read-only", "--entrypoint=python", SERVICES, "-c", code
    ).split()
    yield Figure("images", "user", who, demanded=who == "10001")
    yield Figure("images", "what installs", " ".join(tools) or "nothing", demanded=not tools)


def start(compose: Compose) -> Iterator[Figure]:
    """From nothing to healthy, a first signal, a first fill, a first message."""
    begun = time.monotonic()
    yield Figure("start", "healthy", compose.up(), "s", HEALTHY_S_MAX)
    watched.first_signal(compose)
    yield Figure("start", "first signal", time.monotonic() - begun, "s")
    watched.until(compose, "a first fill", lambda: watched.fills(compose), watched.SEEN_S_MAX)
    yield Figure("start", "first fill at the simulator", time.monotonic() - begun, "s")
    watched.until(compose, "a first message", lambda: watched.messages(compose), watched.SEEN_S_MAX)
    yield Figure("start", "messages on the page in Telegram's place", watched.messages(compose))
    for line in docker(
        "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *_ids(compose)
    ).splitlines():
        name, used, *_ = line.split()
        yield Figure("memory", name, used)


def _ids(compose: Compose) -> list[str]:
    return [compose.container(name) for name in compose.services()]


def kills(compose: Compose) -> Iterator[Figure]:
    """kill -9 of each in turn; then all are healthy and candles go on."""
    for name in compose.services():
        yield Figure("kills", name, watched.killed(compose, name, SERVICES), "s")
        yield Figure("kills", f"all healthy after {name}", watched.all_healthy(compose), "s")
    watched.candles_go_on(compose)
    before = watched.fills(compose)
    watched.until(
        compose,
        "a fill after the kills",
        lambda: watched.fills(compose) > before,
        watched.SEEN_S_MAX,
    )
    yield Figure("kills", "fills at the simulator after all of them", watched.fills(compose))


def again(compose: Compose) -> Iterator[Figure]:
    """`down` and `up` keep positions and balances; every order is there once."""
    ours = [name for name in compose.services() if name != "kafka"]
    compose.call("stop", *ours)
    before = watched.standing(compose)
    compose.call("down")
    compose.up("kafka")
    after = watched.standing(compose)
    count = len(before["positions"])
    yield Figure("again", "positions before down", count, demanded=count > 0)
    same = before == after
    yield Figure("again", "positions and balances", "the same" if same else "differ", demanded=same)
    yield Figure("again", "healthy", compose.up(), "s", HEALTHY_S_MAX)
    watched.candles_go_on(compose)
    audit = json.loads(compose.inside("executor", "chandler", "audit", "orders", "--json"))
    told = " ".join(f"{name}={audit[name]}" for name in ("decisions", "intents") if name in audit)
    yield Figure("again", "audit orders", told, demanded=bool(audit["well"]))


def away(compose: Compose) -> Iterator[Figure]:
    """Kafka is stopped for a while: the others wait or come back, without a hand."""
    compose.call("stop", "kafka")
    time.sleep(compose.away_s)
    for name in compose.services(ours=True):
        yield Figure("away", name, watched.said(compose, name)[:200])
    begun = time.monotonic()
    compose.call("start", "kafka")
    watched.all_healthy(compose)
    yield Figure("away", "all healthy again", time.monotonic() - begun, "s")
    watched.candles_go_on(compose)
    yield Figure("away", "candles go on", time.monotonic() - begun, "s")


def own(compose: Compose) -> Iterator[Figure]:
    """An image of two lines with an engine of one's own; its signals are recorded."""
    lines = f"FROM {SERVICES}\nCOPY {OWN_ENGINE.name} /app/plugins/{OWN_ENGINE.name}\n"
    folder = compose.folder / "own"
    folder.mkdir()
    (folder / "Dockerfile").write_text(lines)
    (folder / OWN_ENGINE.name).write_bytes(OWN_ENGINE.read_bytes())
    docker("build", "--tag", OWN, str(folder), limit_s=BUILD_S_MAX)
    compose.own_image(OWN)
    yield Figure("own", "healthy", compose.up(), "s")
    name = OWN_ENGINE.stem
    count = watched.until(
        compose,
        f"a signal of engine {name}",
        lambda: _signals_of(compose, name),
        watched.SEEN_S_MAX,
    )
    yield Figure("own", f"signals of engine {name}", count)


def _signals_of(compose: Compose, engine: str) -> int:
    code = (
        "import json, pathlib; "
        "lines = pathlib.Path('/data/signals.jsonl').read_text().splitlines(); "
        f"print(sum(json.loads(line).get('source') == '{engine}' for line in lines))"
    )
    try:
        return int(compose.call("exec", "-T", "recorder", "python", "-c", code))
    except TrialError:
        return 0  # the file isn't there yet
