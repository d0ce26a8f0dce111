"""Commands: what people ask of the desk. Each is carried out once and answered once by a shard."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from chandler.core.desk.closing import Fault, Why, close_all, meet_now
from chandler.core.desk.eligibility import EXTERNAL
from chandler.core.desk.entries import act, remembered
from chandler.core.desk.live.reconcile import resolve
from chandler.core.desk.state import slots
from chandler.core.desk.turn import BY, Turn
from chandler.core.events import Event, Signal, Symbol
from chandler.core.granularity import DAY_MS, Granularity
from chandler.core.trading.events import Answer, Command, OrderRequested
from chandler.core.trading.limits import fault_of
from chandler.core.trading.money import shown

KEPT_MS = DAY_MS  # a command's id; venue's clock at 1x

Outcome = tuple[bool, str]  # done, what or why not


def on_command(turn: Turn, command: Command) -> None:
    """Carries a command out for the agents of this shard that it is for, and answers it."""
    desk = turn.desk
    known = command.agent in ("", *desk.agents)
    if not known and (desk.shard != 0 or command.agent in desk.everyone):
        return  # another shard's
    names = [command.agent] if command.agent else list(desk.agents)
    if not known:
        names = list(desk.agents)[:1]  # who remembers that it was answered
    if not names and desk.shard != 0:
        return
    if command.what == "restart":
        return  # of a service: the watchdog's
    if any(command.id in turn.state(name).processed for name in names):
        return
    expired = command.expires_ms and turn.seen.taken_ms >= command.expires_ms
    if known and expired:
        late_s = (turn.seen.taken_ms - command.expires_ms) / 1_000
        outcome = False, f"{command.what} expired {late_s:.0f} s before it was read: ask again"
    elif known:
        outcome = _CARRY_OUT[command.what](turn, command, names)
    else:
        there = " ".join(sorted(desk.everyone)) or "none"
        outcome = False, f"unknown agent {command.agent[:40]!r}: there are {there}"
    until = turn.at + round(KEPT_MS * max(1.0, desk.pace))
    for name in names:
        turn.put(remembered(turn.state(name), command.id, until, turn.at))
    done, detail = outcome
    turn.say(
        Answer(
            command=command.id,
            outcome="done" if done else "refused",
            detail=detail,
            by=BY,
            at=turn.at,
        )
    )


def _switch(turn: Turn, command: Command, names: list[str]) -> Outcome:
    symbol = command.symbol
    if symbol and not _symbol_known(turn, symbol):
        return False, f"unknown symbol {symbol[:40]!r}: name one that is traded here"
    key = f"{command.what}|{symbol}" if symbol else command.what
    for name in names:
        state = turn.state(name)
        turn.put(replace(state, switches={**state.switches, key: command.on}))
    where = f" for {symbol}" if symbol else ""
    return True, f"{command.what} is {'on' if command.on else 'off'}{where}: {' '.join(names)}"


def _symbol_known(turn: Turn, symbol: Symbol) -> bool:
    instrument = turn.seen.instrument
    if instrument is not None and instrument.symbol == symbol:
        return True
    return any(symbol in state.holdings for state in turn.states())


def _force(turn: Turn, command: Command, names: list[str]) -> Outcome:
    """An entry without an engine: every check holds but those of engine, strength, freshness."""
    if not command.symbol or not command.side:
        return False, "force: expected a symbol and a side, long or short"
    notional = command.notional
    if notional is not None and not (notional.is_finite() and notional > 0):
        return False, f"force: expected an amount above 0, found {str(notional)[:40]}"
    signal = forced(turn, command, names)
    said = []
    for name in names:
        before = len(turn.outputs)
        fault = _other_side(turn, name, command) if notional is not None else None
        fault = fault or act(turn, name, signal, forced=True, notional=notional)
        made = [each.event for each in turn.outputs[before:]]
        said.append((fault is None, f"{name} {': '.join(fault) if fault else _orders(made)}"))
    return any(done for done, _ in said), "; ".join(text for _, text in said) or "no agents"


def _orders(made: Sequence[Event]) -> str:
    """What was ordered, with its id: what became of it is told when it is filled."""
    orders = [
        f"{'buys' if each.buys else 'sells'} {shown(each.size)} {each.symbol} at about "
        f"{shown(each.price)}, order {each.id}"
        for each in made
        if isinstance(each, OrderRequested)
    ]
    return " and ".join(orders) or "closes what is open on the other side first"


def _other_side(turn: Turn, name: str, command: Command) -> Fault | None:
    """An amount is for an entry; what would close or reverse a position has its own size."""
    holding = turn.state(name).holdings.get(command.symbol)
    if holding is None or holding.position.side == command.side:
        return None
    return "held", f"it holds {command.symbol} {holding.position.side}: close that first"


def forced(turn: Turn, command: Command, names: list[str]) -> Signal:
    """The signal of a person."""
    assert command.side
    return Signal(
        id=command.id,
        symbol=command.symbol,
        side=command.side,
        strength=1.0,
        source="person",
        granularity=Granularity("1m"),
        close_ms=turn.at,
        expires_ms=turn.at + DAY_MS,
        reason=f"forced by {command.who}",
        agents=names,
        inputs=[],
        config="",
        code="",
    )


def _close(turn: Turn, command: Command, names: list[str]) -> Outcome:
    if command.what == "close" and not command.agent and not command.symbol:
        return False, "close: expected an agent or a symbol; close_all closes everything"
    why = Why("person", command.id, "person", f"closed by {command.who}")
    closed = []
    for name in names:
        for symbol in sorted(slots(turn.state(name))):
            if command.symbol in ("", symbol):
                before = len(turn.outputs)
                ready_ms = turn.at + turn.desk.latency_ms
                made = close_all(turn, name, symbol, why, ready_ms=ready_ms)
                meet_now(turn, name, made[-1] if made else None)
                if made or len(turn.outputs) > before:
                    closed.append(f"{name} {symbol}")
    if not closed:
        return False, "nothing is open that is not being closed already"
    return True, f"closing {', '.join(closed)}"


def _pause(turn: Turn, command: Command, names: list[str]) -> Outcome:
    source = command.source
    known = {*turn.desk.engines, EXTERNAL}
    if source not in known:
        return False, f"unknown engine {source[:40]!r}: there are {' '.join(sorted(known))}"
    paused, said = command.what == "pause", []
    for name in names:
        state = turn.state(name)
        followed = turn.agent(name).config.engines
        if (source in state.paused) == paused:
            said.append(f"{name}: it was so already")
        elif followed and source not in followed:
            said.append(f"{name}: {command.what}d, though it does not follow {source} anyway")
        else:
            said.append(f"{name}: {command.what}d")
        sources = {*state.paused, source} if paused else {*state.paused} - {source}
        turn.put(replace(state, paused=sorted(sources)))
    return True, f"{source}, {'; '.join(said)}"


def _limit(turn: Turn, command: Command, names: list[str]) -> Outcome:
    name, value = command.limit, command.value
    fault = fault_of(name, value)
    if fault:
        return False, fault
    said = []
    for agent in names:
        state = turn.state(agent)
        limits = {key: each for key, each in state.limits.items() if key != name}
        if value is not None:
            limits[name] = value
        turn.put(replace(state, limits=limits))
        now = getattr(turn.agent(agent).config, name)
        said.append(f"{agent} {name} {now}")
    return True, f"limit set: {', '.join(said)}"


def _resolve(turn: Turn, command: Command, names: list[str]) -> Outcome:
    resolved = [name for name in names if resolve(turn, name, command)]
    if not resolved:
        return False, "no difference to the venue is open"
    return True, f"the venue's books are taken as right for {' '.join(resolved)}"


_CARRY_OUT: dict[str, Callable[[Turn, Command, list[str]], Outcome]] = {
    "trading": _switch,
    "buying": _switch,
    "selling": _switch,
    "force": _force,
    "close": _close,
    "close_all": _close,
    "pause": _pause,
    "resume": _pause,
    "resolve": _resolve,
    "limit": _limit,
}
