"""Finds plug-ins, leaves out broken ones with a clear line, resolves the profile's engines.

They come by entry point (group chandler.strategies) or from plugins/: NAME.py, or NAME/NAME.py.
"""

import ast
import contextlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points, version
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import msgspec

from chandler.core.engine import STOP_ATR, Engine, EngineConfig, ResolvedEngine, indicators_of
from chandler.core.engine import resolve as resolve_engine
from chandler.core.evaluator import Evaluator, PluginError
from chandler.core.granularity import Granularity, by_length, parse_granularity
from chandler.core.hashing import digest
from chandler.core.indicators.spec import Indicator
from chandler.core.market.pump import MINUTE
from chandler.core.notices.channel import Channel
from chandler.core.trading.modes import ModeError, TradingMode, check_mode
from services.layers import ConfigurationError, root
from services.profile import Profile

GROUP = "chandler.strategies"
RANGE_NAME = "CHANDLER_CORE"  # a plug-in's own attribute: the versions of core that it is made for
FOLDER_VARIABLE = "CHANDLER_PLUGINS"


class Source(NamedTuple):
    """Where a plug-in is."""

    name: str
    module: str  # its name in sys.modules
    path: Path  # of the module, or of the package's __init__.py


class Plugins(NamedTuple):
    """All that the plug-ins bring, and one line for each that was left out."""

    evaluators: dict[str, Evaluator]
    engines: dict[str, Engine]
    modes: dict[str, TradingMode[Any]]
    channels: dict[str, Channel]
    sources: list[Source]  # those in use
    faults: list[str]


class Resolution(NamedTuple):
    """The engines that can run, and one line for each that a broken plug-in keeps from it."""

    engines: list[ResolvedEngine]
    faults: list[str]


class Wanted(NamedTuple):
    """What enabled engines, the pump guard and the pinned list ask of ingest and indicators."""

    granularities: list[Granularity]  # shortest first
    indicators: dict[Granularity, list[Indicator]]  # the pinned granularities with none
    tickers: bool


def folder() -> Path:
    """Where single-file plug-ins are."""
    return Path(os.environ.get(FOLDER_VARIABLE) or root() / "plugins")


def load(directory: Path | None = None) -> Plugins:
    """Every plug-in that works, once per process. Never raises for a plug-in's sake."""
    return _load((directory or folder()).resolve())


@cache
def _load(directory: Path) -> Plugins:
    plugins = Plugins({}, {}, {}, {}, [], [])
    for source in (*_from_entry_points(plugins.faults), *_from_folder(directory)):
        try:
            check_range(source)
            _add(plugins, source, _module(source))
        except (Exception, SystemExit) as error:  # whatever its code does, the rest goes on
            said = str(error) if isinstance(error, PluginError) else _one_line(error)
            plugins.faults.append(f"plug-in {source.name} is left out: {said}")
    return plugins


def load_one(path: Path) -> Plugins:
    """What one file alone brings; PluginError says what is wrong with it."""
    source = Source(path.stem, f"chandler_plugin_{path.stem}", path.resolve())
    plugins = Plugins({}, {}, {}, {}, [], [])
    try:
        check_range(source)
        module = _module(source)
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{path}: {_one_line(error)}") from None
    _add(plugins, source, module)
    return plugins


def load_module(name: str) -> Plugins:
    """What one importable module brings; PluginError says what is wrong."""
    plugins = Plugins({}, {}, {}, {}, [], [])
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise PluginError(f"module {name} can't be imported: {_one_line(error)}") from None
    if not module.__file__:
        raise PluginError(f"module {name} is a folder without code: name a module in it")
    _add(plugins, Source(name, name, Path(module.__file__)), module)
    return plugins


def _from_entry_points(faults: list[str]) -> Iterator[Source]:
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        module = point.value.partition(":")[0]
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            spec = None
        if spec is None or spec.origin is None:
            faults.append(
                f"plug-in {point.name} is left out: its entry point names {module}, "
                "which isn't there, install it anew"
            )
            continue
        yield Source(point.name, module, Path(spec.origin))


def _from_folder(directory: Path) -> Iterator[Source]:
    if not directory.is_dir():
        return
    files = [*directory.glob("*.py")]
    files += [each / f"{each.name}.py" for each in directory.iterdir() if each.is_dir()]
    for path in sorted(files):
        if path.is_file() and not path.name.startswith(("_", "test_", "conftest")):
            yield Source(path.stem, f"chandler_plugin_{path.stem}", path)


def _module(source: Source) -> ModuleType:
    if not source.module.startswith("chandler_plugin_"):
        return importlib.import_module(source.module)
    spec = importlib.util.spec_from_file_location(source.module, source.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[source.module] = module
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what it prints is nobody's JSON
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[source.module]
        raise
    return module


def _add(plugins: Plugins, source: Source, module: ModuleType) -> None:
    """Takes in all of a plug-in or nothing."""
    found = list({id(value): value for value in vars(module).values()}.values())
    evaluators = [value for value in found if isinstance(value, Evaluator)]
    engines = [value for value in found if isinstance(value, Engine)]
    modes = [value for value in found if isinstance(value, TradingMode)]
    channels = [value for value in found if isinstance(value, Channel)]
    if not (evaluators or engines or modes or channels):
        raise PluginError(
            "it has no evaluator and no engine, no trading mode and no channel either, see "
            "docs/engines.md"
        )
    for one in evaluators:
        if plugins.evaluators.get(one.name, one) is not one:
            raise PluginError(f"another plug-in has an evaluator {one.name!r} too, rename it")
    for engine in engines:
        if plugins.engines.get(engine.name, engine) is not engine:
            raise PluginError(f"another plug-in has an engine {engine.name!r} too, rename it")
    for mode in modes:
        if plugins.modes.get(mode.name, mode) is not mode:
            raise PluginError(f"another plug-in has a trading mode {mode.name!r} too, rename it")
        _check_mode(mode)
    for each in channels:
        if plugins.channels.get(each.name, each) is not each:
            raise PluginError(f"another plug-in has a channel {each.name!r} too, rename it")
    known = plugins.evaluators | {one.name: one for one in evaluators}
    _check_indicators(known.values())
    for engine in engines:
        _check_engine(engine, known)
    plugins.evaluators.update(known)
    plugins.engines.update({engine.name: engine for engine in engines})
    plugins.modes.update({mode.name: mode for mode in modes})
    plugins.channels.update({each.name: each for each in channels})
    if evaluators or engines or modes:  # a channel decides nothing
        plugins.sources.append(source)


def _check_indicators(evaluators: Iterable[Evaluator]) -> None:
    """PluginError where an indicator of a plug-in's own is called like another one."""
    steps = {STOP_ATR.key: STOP_ATR.step}
    for one in evaluators:
        for indicator in one.inputs.values():
            if steps.setdefault(indicator.key, indicator.step) is not indicator.step:
                raise PluginError(
                    f"evaluator {one.name}: another indicator is called {indicator.key} too, "
                    "rename the plug-in's own"
                )


def _check_engine(engine: Engine, evaluators: Mapping[str, Evaluator]) -> None:
    """PluginError where it can't run as it is shipped; evaluators may come with a later plug-in."""
    try:
        config = msgspec.convert(msgspec.to_builtins(engine.config), EngineConfig)
    except (msgspec.ValidationError, TypeError) as error:
        raise PluginError(f"engine {engine.name}: {_one_line(error)}") from None
    if config.evaluators and set(config.evaluators) <= set(evaluators):
        resolve_engine(engine.name, engine.version, config, evaluators)


def _check_mode(mode: TradingMode[Any]) -> None:
    try:
        check_mode(mode)
    except ModeError as error:
        raise PluginError(str(error)) from None


def check_range(source: Source) -> None:
    """PluginError unless the plug-in says that it is made for this core; read before it runs."""
    wanted = _literal(source.path, RANGE_NAME)
    have = version("chandler-core")
    if wanted is None:
        raise PluginError(
            f'it doesn\'t say which core it is made for, write {RANGE_NAME} = ">={have}"'
        )
    if not in_range(have, wanted):
        raise PluginError(f"it is made for chandler-core {wanted}, this is {have}")


def _literal(path: Path, name: str) -> str | None:
    for node in ast.parse(path.read_bytes(), str(path)).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if name in names:
                return str(node.value.value)
    return None


def in_range(have: str, wanted: str) -> bool:
    """Whether version `have` is in a range such as ">=0.1,<0.2"; PluginError if it is none."""
    for part in wanted.split(","):
        match = re.fullmatch(r"\s*(>=|<=|==|!=|>|<)\s*(\d+(?:\.\d+)*)\s*", part)
        if match is None:
            raise PluginError(f"{RANGE_NAME} is {wanted!r}: expected a range such as >=0.1,<0.2")
        ours, theirs = _numbers(have), _numbers(match[2])
        holds = {
            ">=": ours >= theirs,
            "<=": ours <= theirs,
            "==": ours == theirs,
            "!=": ours != theirs,
            ">": ours > theirs,
            "<": ours < theirs,
        }
        if not holds[match[1]]:
            return False
    return True


def _numbers(text: str) -> tuple[int, ...]:
    numbers = [int(part) for part in re.findall(r"\d+", text)[:4]]
    return (*numbers, *[0] * (4 - len(numbers)))


def resolve(profile: Profile, plugins: Plugins | None = None) -> list[ResolvedEngine]:
    """The enabled engines, by name; ConfigurationError names what a profile has wrong."""
    return resolution(profile, plugins or load()).engines


def resolution(profile: Profile, plugins: Plugins) -> Resolution:
    """The enabled engines. What a plug-in alone has wrong is a fault, not an error."""
    resolved = Resolution([], [])
    for name, config in sorted(profile.engines.items()):
        if not config.enabled:
            continue
        shipped = plugins.engines.get(name)
        try:
            engine = resolve_engine(
                name, shipped.version if shipped else "profile", config, plugins.evaluators
            )
        except PluginError as error:
            lacking = not config.evaluators or set(config.evaluators) - set(plugins.evaluators)
            as_shipped = shipped is not None and config == shipped.config
            if not as_shipped and not (plugins.faults and lacking):
                raise ConfigurationError(str(error)) from None
            resolved.faults.append(f"engine {name} is left out: {error}")
        else:
            resolved.engines.append(engine)
    try:
        indicators_of(resolved.engines)
    except PluginError as error:
        raise ConfigurationError(str(error)) from None
    return resolved


def wanted(profile: Profile, plugins: Plugins | None = None) -> Wanted:
    """What has to be ingested and computed, and nothing else."""
    indicators = indicators_of(resolve(profile, plugins))
    try:
        pinned = [parse_granularity(text) for text in profile.ingest.pinned]
    except ValueError as error:
        raise ConfigurationError(f"ingest.pinned: {error}") from None
    computed = by_length({*indicators, *pinned})
    guard = {MINUTE} if profile.guarded else set()
    return Wanted(
        granularities=by_length({*computed, *guard}),
        indicators={each: indicators.get(each, []) for each in computed},
        tickers=True,  # for paper fills and the guard, and for what people see
    )


def code_hash(plugins: Plugins | None = None) -> str:
    """Hash over the source of chandler.core and of the plug-ins in use."""
    spec = importlib.util.find_spec("chandler.core")
    assert spec is not None
    assert spec.origin is not None
    sources = [("chandler.core", Path(spec.origin))]
    sources += [(source.name, source.path) for source in (plugins or load()).sources]
    parts: list[str | bytes] = []
    for name, path in sorted(sources):
        for relative, raw in files(path):
            parts += [f"{name}/{relative}", raw]
    return digest(*parts)


def files(path: Path) -> list[tuple[str, bytes]]:
    """Name and content of a plug-in's sources: of its module, or of all in its package."""
    if path.name != "__init__.py":
        return [(path.name, path.read_bytes())]
    return [
        (each.relative_to(path.parent).as_posix(), each.read_bytes())
        for each in sorted(path.parent.rglob("*.py"))
    ]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
