"""The desk's configuration, resolved: names looked up, numbers checked, times in event ms.

The text of a resolved desk holds all that its decisions depend on but the code: with it and the
trading modes an old journal is decided again.
"""

import difflib
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec

from chandler.core.events import Signal
from chandler.core.hashing import canonical, digest
from chandler.core.trading.agents import (
    LEVERAGE_MAX,
    AccountConfig,
    AgentConfig,
    DeskConfig,
    PaperConfig,
    PumpConfig,
)
from chandler.core.trading.modes import ModeError, TradingMode, settings_of
from chandler.core.trading.paper import Rules, rules_of

AccountKind = Literal["paper", "live"]
AMOUNTS = ("balance", "size", "size_percent", "daily_loss_max_percent", "impact_max_percent")
NAME = "abcdefghijklmnopqrstuvwxyz0123456789_-"


class DeskError(ValueError):
    """The desk's configuration can't be used: the message is one line."""


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk demands of the pump guard."""

    enabled: bool
    mirror: bool  # a crash blocks longs
    age_ms_max: int  # event time


class ResolvedAgent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that can decide."""

    name: str
    account: str
    kind: AccountKind
    config: AgentConfig
    mode: TradingMode[Any]
    settings: Any  # of the trading mode


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """One shard of the desk: its agents and all that they decide by."""

    shard: int
    shards: int
    kind: AccountKind
    account: str  # of a live shard; "" on paper
    agents: dict[str, ResolvedAgent]  # by name, sorted
    everyone: frozenset[str]  # all agents' names, of every shard
    engines: frozenset[str]  # that are enabled
    guard: Guard
    rules: Rules  # of the paper venue
    latency_ms: int  # event time
    price_age_ms_max: int  # event time
    pace: float
    text: str  # canonical JSON
    hash: str  # of that text


class _Text(msgspec.Struct, frozen=True, kw_only=True):
    """What is hashed and recorded of a shard."""

    shard: int
    shards: int
    kind: AccountKind
    account: str
    agents: dict[str, AgentConfig]
    modes: dict[str, str]  # trading mode → version
    settings: dict[str, Any]  # agent → its trading mode's, defaults filled in
    everyone: list[str]
    engines: list[str]
    guard: Guard
    paper: PaperConfig
    pace: float


def resolve(
    agents: Mapping[str, AgentConfig],
    *,
    modes: Mapping[str, TradingMode[Any]],
    engines: Collection[str],
    accounts: Mapping[str, AccountConfig] | None = None,
    desk: DeskConfig | None = None,
    paper: PaperConfig | None = None,
    pump: PumpConfig | None = None,
    pace: float = 1.0,
    live: bool = False,
    partitions: int = 8,
) -> tuple[Desk, ...]:
    """Every shard: the paper ones first, then the live accounts by name.

    `engines`: names of the enabled ones. `live`: real orders were agreed to (the profile's mode).
    `partitions`: shards that the journal has room for. DeskError says in one line what is wrong.
    """
    accounts, desk, paper = accounts or {}, desk or DeskConfig(), paper or PaperConfig()
    _check_shared(desk, paper, len(accounts), partitions)
    for name in agents:
        _check_agent(name, agents[name], accounts, engines, live=live)
    homes = {name: _home(name, agents[name], accounts, desk.shards) for name in sorted(agents)}
    return tuple(
        _shard(
            _Text(
                shard=shard,
                shards=desk.shards + len(accounts),
                kind="live" if account else "paper",
                account=account,
                agents={name: agents[name] for name, home in homes.items() if home == shard},
                modes={},
                settings={},
                everyone=list(homes),
                engines=sorted(engines),
                guard=_guard(pump or PumpConfig(), desk, pace),
                paper=paper,
                pace=pace,
            ),
            modes,
        )
        for shard, account in enumerate([""] * desk.shards + sorted(accounts))
    )


def parse(text: str, modes: Mapping[str, TradingMode[Any]]) -> Desk:
    """The shard that `text` (of topic `configs`) describes; DeskError where a mode is not there."""
    try:
        read = msgspec.json.decode(text, type=_Text)
    except msgspec.DecodeError as error:
        raise DeskError(f"no configuration of a desk: {error}") from None
    made = _shard(msgspec.structs.replace(read, modes={}, settings={}), modes)
    if made.text != text:
        raise DeskError(
            "the trading modes of this code are others than those of the recorded configuration: "
            "check with the code that recorded it"
        )
    return made


def may_be_followed(desk: Desk, signal: Signal) -> bool:
    """Whether an agent of the shard could act on a signal of that source and symbol at all."""
    for name, agent in desk.agents.items():
        config = agent.config
        follows = not config.engines or signal.source in config.engines or name in signal.agents
        if follows and (not config.symbols or signal.symbol in config.symbols):
            return True
    return False


def _check_shared(desk: DeskConfig, paper: PaperConfig, accounts: int, partitions: int) -> None:
    if desk.shards < 1:
        raise DeskError(f"desk.shards is {desk.shards}: expected 1 or more")
    if desk.shards + accounts > partitions:
        raise DeskError(
            f"the desk has {desk.shards} paper shards and {accounts} accounts: expected at "
            f"most {partitions} together, lower desk.shards"
        )
    if paper.latency_ms < 0 or paper.price_age_ms_max <= 0:
        raise DeskError(
            f"paper.latency_ms is {paper.latency_ms}, price_age_ms_max {paper.price_age_ms_max}: "
            "expected 0 or more, and more than 0"
        )


def _check_agent(
    name: str,
    config: AgentConfig,
    accounts: Mapping[str, AccountConfig],
    engines: Collection[str],
    *,
    live: bool,
) -> None:
    if not name or set(name) - set(NAME):
        raise DeskError(f"agent {name!r}: expected a name of a-z, 0-9, _ and -")
    if config.mode == "live":
        _check_account(name, config, accounts, live=live)
    elif config.account:
        raise DeskError(
            f"agent {name}: account is {config.account!r} and mode is paper: a paper agent has its "
            "own account, leave account empty or set mode to live"
        )
    for engine in config.engines:
        if engine not in engines:
            raise DeskError(f"agent {name}: unknown engine {engine!r}{_near(engine, engines)}")
    _check_numbers(name, config)


def _check_account(
    name: str, config: AgentConfig, accounts: Mapping[str, AccountConfig], *, live: bool
) -> None:
    if config.account not in accounts:
        raise DeskError(
            f"agent {name}: unknown account {config.account!r}{_near(config.account, accounts)}"
        )
    account = accounts[config.account]
    if not (live or account.demo or account.on_simulator):
        raise DeskError(
            f"agent {name}: account {config.account} is for real money and the profile's mode is "
            "paper: set mode to live, or the account's demo or on_simulator"
        )


def _check_numbers(name: str, config: AgentConfig) -> None:
    zero, hundred = Decimal(0), Decimal(100)
    for field in AMOUNTS:
        if not getattr(config, field).is_finite():
            raise DeskError(f"agent {name}: {field} is {getattr(config, field)}: expected a number")
    rules = (
        (config.balance > 0, "balance", "above 0"),
        (config.size >= 0, "size", "0 or more"),
        (config.size > 0 or zero < config.size_percent <= hundred, "size_percent", "0 to 100"),
        (1 <= config.leverage <= LEVERAGE_MAX, "leverage", f"1 to {LEVERAGE_MAX}"),
        (config.positions_max >= 1, "positions_max", "1 or more"),
        (config.orders_per_symbol_day_max >= 1, "orders_per_symbol_day_max", "1 or more"),
        (zero <= config.daily_loss_max_percent <= hundred, "daily_loss_max_percent", "0 to 100"),
        (0 <= config.strength_min <= 1, "strength_min", "0 to 1"),
        (zero <= config.impact_max_percent <= hundred, "impact_max_percent", "0 to 100"),
        (bool(config.sides), "sides", "long, short or both"),
    )
    for holds, field, expected in rules:
        if not holds:
            found = getattr(config, field)
            raise DeskError(f"agent {name}: {field} is {found}: expected {expected}")


def _near(name: str, known: Collection[str]) -> str:
    """What follows an unknown name in a message."""
    near = difflib.get_close_matches(name, sorted(known), 1, 0.5)
    if near:
        return f": the nearest is {near[0]}"
    return f": there are {' '.join(sorted(known)) or 'none'}"


def _guard(pump: PumpConfig, desk: DeskConfig, pace: float) -> Guard:
    return Guard(
        enabled=pump.enabled,
        mirror=pump.mirror,
        age_ms_max=round(desk.guard_age_ms_max * pace),
    )


def _home(
    name: str, config: AgentConfig, accounts: Mapping[str, AccountConfig], paper_shards: int
) -> int:
    """Paper agents by a hash of their name, so that a new agent moves no other."""
    if config.mode == "live":
        return paper_shards + sorted(accounts).index(config.account)
    return int.from_bytes(digest("shard", name).encode(), "big") % paper_shards


def _shard(text: _Text, modes: Mapping[str, TradingMode[Any]]) -> Desk:
    agents: dict[str, ResolvedAgent] = {}
    for name, config in sorted(text.agents.items()):
        mode = modes.get(config.trading_mode)
        if mode is None:
            raise DeskError(
                f"agent {name}: unknown trading mode {config.trading_mode!r}"
                f"{_near(config.trading_mode, modes)}"
            )
        try:
            settings = settings_of(mode, config.set)
        except ModeError as error:
            raise DeskError(f"agent {name}: {error}") from None
        agents[name] = ResolvedAgent(
            name=name,
            account=text.account or name,
            kind=text.kind,
            config=config,
            mode=mode,
            settings=settings,
        )
    whole = msgspec.structs.replace(
        text,
        modes={each.mode.name: each.mode.version for each in agents.values()},
        settings={name: each.settings for name, each in agents.items()},
    )
    written = canonical(whole)
    return Desk(
        shard=text.shard,
        shards=text.shards,
        kind=text.kind,
        account=text.account,
        agents=agents,
        everyone=frozenset(text.everyone),
        engines=frozenset(text.engines),
        guard=text.guard,
        rules=rules_of(text.paper),
        latency_ms=round(text.paper.latency_ms * text.pace),
        price_age_ms_max=round(text.paper.price_age_ms_max * text.pace),
        pace=text.pace,
        text=written,
        hash=digest(written),
    )
