"""Services as they run: status, logs, crashes."""

import asyncio
import time
from decimal import Decimal
from functools import partial

from chandler.core.events import InfraEvent, LogLine
from chandler.core.notices.text import Line
from chandler.core.notices.words import called, lasting, moment, one_line
from chandler.core.trading.money import plus
from chandler.streams.telemetry.health import BEHIND_S_MAX
from services.following.heard import OF_THE_MARKET, RUNNING, elsewhere, service_of
from services.following.sources import UnanswerableError
from services.layers import nearest
from services.notifier.answering.asked import Asked, cut, gain, head, short, warned
from services.notifier.answering.standing import is_on, open_of, rows_of, unrealised
from services.showing.readiness import ServiceStatus, gather
from services.topology import ORDER, TELEGRAM, services_of, workers_of
from services.watchdog.crashes import Crash, file_of
from services.watchdog.crashes import crashes as kept_here

LINES_USUAL = 20
CRASHES_USUAL = 5
TAIL_SHOWN = 8  # lines of a crashed service's log
HALVES = {"telegram": TELEGRAM, "trading": frozenset(ORDER) - TELEGRAM}


async def status(asked: Asked) -> list[Line]:
    """Services, who trades, what is open, today's PnL, the newest close."""
    sources = asked.sources
    found = await gather(sources.installation, workers_of(sources.profile))
    rows = [(_ready(asked, name, each), name, each) for name, each in found.items()]
    ready = sum(is_ready for is_ready, _, _ in rows)
    all_are = "All" if ready == len(rows) else f"{ready} of"
    late = [name for _, name, each in rows if each.behind_s > BEHIND_S_MAX]
    but = f", behind the market: {', '.join(late)}" if late else ""
    lines = [head(f"{all_are} {len(rows)} services are ready{but}")]
    rows.sort(key=lambda row: row[0])  # those that are not come first
    lines += [_service(asked, name, each) for _, name, each in rows]
    lines += _trading(asked) if sources.profile.agents or asked.limited else []
    close_ms = asked.views.lately.close_ms
    lines.append(Line(f"newest close: {moment(close_ms)}" if close_ms else "no close is known yet"))
    traded = asked.views.trouble("desk") if sources.profile.trades else ""
    return warned(lines, traded or asked.views.trouble("lately"))


async def logs(asked: Asked) -> list[Line]:
    """The last lines that a service logged, or a half of the system."""
    wanted = _services(asked)
    found = asked.views.lately.lines(wanted)
    trouble = asked.views.trouble("lately")
    if not found:
        return warned([Line("No such lines in the last day.")], trouble)
    several = len(wanted) != 1
    shown = found[-asked.count(LINES_USUAL) :]
    return warned([Line(_logged(line, several=several), "code") for line in shown], trouble)


async def crashes(asked: Asked) -> list[Line]:
    """Ends that nobody asked for: from this machine's file, else as topic infra tells them."""
    wanted = _services(asked)
    installation = asked.sources.installation
    count = asked.count(CRASHES_USUAL)
    if await asyncio.to_thread(file_of(installation).exists):
        there = await asked.sources.apart(partial(kept_here, installation))
        found = [each for each in there if not wanted or each.service in wanted]
        total, lines = len(found), [_crash(each) for each in found[-count:][::-1]]
        if found and asked.query.service:
            lines += [Line(each, "code") for each in found[-1].lines[-TAIL_SHOWN:]]
    else:
        told = asked.views.lately.crashes
        heard = [each for each in told if not wanted or each.service in wanted]
        total, lines = len(heard), [_told(each) for each in heard[-count:][::-1]]
    if not total:
        return [Line("No crash is known.")]
    return [head(f"{total} crashes"), *lines]


def _ready(asked: Asked, name: str, here: ServiceStatus) -> bool:
    there = _elsewhere(asked, name, here)
    return there.kind in RUNNING if there is not None else here.ready


def _elsewhere(asked: Asked, name: str, here: ServiceStatus) -> InfraEvent | None:
    return elsewhere(name, here, asked.views.lately.infra)


def _service(asked: Asked, name: str, here: ServiceStatus) -> Line:
    there = _elsewhere(asked, name, here)
    if there is not None:
        ago = lasting(round(time.time() * 1_000) - there.at)
        detail = f": {there.detail}" if there.detail and _may_tell(asked, name) else ""
        kind = there.kind.replace("_", " ")
        return Line(one_line(f"{name}: {kind} {ago} ago, on another machine{detail}"))
    said = [here.state if here.state != "ready" or here.ready else "not ready"]
    said += [] if here.lag is None else [f"lag {here.lag}"]
    said += [] if here.age_s is None else [f"age {here.age_s:.1f} s"]
    return Line(one_line(f"{name}: {', '.join(said)}"))


def _trading(asked: Asked) -> list[Line]:
    rows, opened = rows_of(asked), open_of(asked)
    on = [called(row.agent) for row in rows if is_on(row)]
    off = [called(row.agent) for row in rows if not is_on(row)]
    lines = [Line(one_line(f"trading on: {', '.join(on) or 'nobody'}"))]
    lines += [Line(one_line(f"trading off: {', '.join(off)}"))] if off else []
    today = [row.pnl_today for row in rows if row.pnl_today is not None]
    pnl: Decimal | None = plus(*today) if today else None
    return [
        *lines,
        Line(f"{len(opened)} open, {gain(unrealised(opened))} unrealised; today {gain(pnl)}"),
    ]


def _services(asked: Asked) -> frozenset[str]:
    """Of which services; empty: of all. UnanswerableError for none, or not for who asks."""
    name = asked.query.service.replace("-", "_")
    known = {*services_of(asked.sources.profile), *ORDER, *asked.views.lately.infra}
    if name and name not in known and name not in HALVES:
        raise UnanswerableError(
            f"no service is called {cut(name)!r}{nearest(name, sorted(known))}: "
            f"there are {', '.join(sorted(known))}, and trading and telegram for a half of them"
        )
    wanted = HALVES.get(name, frozenset((name,)) if name else frozenset())
    if not asked.limited:
        return wanted
    allowed = wanted & OF_THE_MARKET if wanted else OF_THE_MARKET
    if not allowed:
        raise UnanswerableError(
            f"{cut(name)} tells of agents that are not yours: ask an owner, or for one of "
            f"{', '.join(sorted(OF_THE_MARKET))}"
        )
    return allowed


def _may_tell(asked: Asked, name: str) -> bool:
    return not asked.limited or service_of(name) in OF_THE_MARKET


def _logged(line: LogLine, *, several: bool) -> str:
    level = "" if line.level == "info" else f" {line.level.upper()}"
    service = f" {line.service}" if several else ""
    return one_line(f"{short(line.at)}{level}{service} {line.text}")


def _crash(each: Crash) -> Line:
    what = f"{short(each.at)} {called(each.worker)} {each.what.replace('_', ' ')}"
    again = "not started again" if each.again_s is None else f"again after {each.again_s:.0f} s"
    lived = lasting(round(each.lived_s * 1_000))
    return Line(one_line(f"{what}: {each.reason}; lived {lived}, {again}"))


def _told(each: InfraEvent) -> Line:
    return Line(one_line(f"{short(each.at)} {called(each.service)} crashed: {each.detail}"))
