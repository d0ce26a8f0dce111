"""Turns functions of the compiled subset into machine code: the very functions that run live.

A function is copied with the functions that it calls replaced by their compiled copies, so that
nothing of the live code changes. What is outside the subset is refused (see subset.py).
Machine code is cached on disk by a hash of all the source that it is made of.
"""

import functools
import inspect
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FunctionType, ModuleType
from typing import Any, ParamSpec, TypeVar

import numba
from numba.core import config as numba_config
from numba.core import event as numba_event

from chandler.core.hashing import digest
from chandler.replay.subset import violations

P = ParamSpec("P")
R = TypeVar("R")

# Shipped functions guard every division; a plug-in's raises as it does live.
GUARDED = ("chandler.core.", "chandler.strategies.")

config: Any = numba_config  # made at run time, from the environment

_compiled: dict[FunctionType, Any] = {}


class SubsetError(Exception):
    """A function can't be compiled as it is written: one line says what isn't in the subset."""


def cache_in(folder: pathlib.Path, code: str) -> None:
    """Keeps machine code in `folder`; `code` is the hash of all code, plug-ins included.

    Other code has a folder of its own: an old kernel is never taken for a new one.
    """
    config.CACHE_DIR = str(folder / digest(code, numba.__version__)[:12])
    os.makedirs(config.CACHE_DIR, exist_ok=True)


class _Compiling(numba_event.Listener):
    """Tells of the first compilation; what is loaded from the cache is none."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell, self._process = tell, os.getpid()
        self._told = False

    def on_start(self, event: Any) -> None:
        if self._told or os.getpid() != self._process:  # a child would say it once more
            return
        self._told = True
        self._tell()

    def on_end(self, event: Any) -> None:
        """Nothing is said of the end."""


@contextmanager
def compiling(tell: Callable[[], None]) -> Iterator[None]:
    """Calls `tell` within it, once, as soon as something is compiled that no cache holds."""
    with numba_event.install_listener("numba:compile", _Compiling(tell)):
        yield


def machine(function: Callable[P, R]) -> Callable[P, R]:
    """Compiles a kernel of Chandler's own when it is called first, cached where a cache is set."""
    made: list[Any] = []

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not made:
            compiler = numba.njit(cache=bool(config.CACHE_DIR), nogil=True, error_model="numpy")
            made.append(compiler(function))
        result: R = made[0](*args, **kwargs)
        return result

    return call


def native(function: Callable[..., Any]) -> Any:
    """The function compiled, to be called by kernels; SubsetError where it can't be.

    Keyword-only parameters become positional ones, after the others.
    """
    plain = inspect.unwrap(function)
    found = violations(plain)
    if found:
        raise SubsetError(found[0])
    assert isinstance(plain, FunctionType)
    return _native(plain)


def _native(function: FunctionType) -> Any:
    if function not in _compiled:
        _compiled[function] = numba.njit(**_options([function]))(_copied(function))
    return _compiled[function]


def is_shipped(function: Callable[..., Any]) -> bool:
    """Whether it is Chandler's own, known by its tests to be sound."""
    return function.__module__.startswith(GUARDED)


def _options(functions: Iterable[Callable[..., Any]]) -> dict[str, Any]:
    guarded = all(map(is_shipped, functions))
    return {"nogil": True, "error_model": "numpy" if guarded else "python"}


def _copied(function: FunctionType) -> FunctionType:
    """The function over globals in which what it calls is compiled."""
    names = set(function.__code__.co_names)
    scope: dict[str, Any] = {"__name__": function.__module__, "__builtins__": __builtins__}
    for name in names & function.__globals__.keys():
        value = function.__globals__[name]
        scope[name] = _native(value) if isinstance(value, FunctionType) else value
    code = function.__code__.replace(
        co_argcount=function.__code__.co_argcount + function.__code__.co_kwonlyargcount,
        co_kwonlyargcount=0,
    )
    return FunctionType(code, scope, function.__name__)


def kernel(
    name: str, text: str, functions: dict[str, Callable[..., Any]], scope: dict[str, Any]
) -> Any:
    """A generated function, compiled and cached on disk.

    `text` defines `kernel(…)`; it calls `functions`, of the compiled subset, by these names, and
    sees `scope` beside them. SubsetError where one of them can't be compiled.
    """
    called = {each: native(function) for each, function in functions.items()}
    # Kernels that differ in what they call must not share a place in the cache.
    parts = [f"{each}={f.__module__}.{f.__qualname__}" for each, f in functions.items()]
    own = f"{name}_{digest(text, *parts, *map(repr, scope.values()))[:16]}"
    folder = pathlib.Path(config.CACHE_DIR or ".") if config.CACHE_DIR else None
    lines = text.replace("def kernel(", f"def {own}(", 1)
    if folder is None:
        path = f"<{own}>"
    else:
        source = folder / f"{own}.py"
        if not source.exists():
            partial = source.with_suffix(f".{os.getpid()}")
            partial.write_text(lines)
            partial.replace(source)
        path = str(source)
    # A module, for what is loaded from the cache looks its module up by name.
    module = ModuleType(f"chandler_{own}")
    vars(module).update(scope | called)
    sys.modules[module.__name__] = module
    exec(compile(lines, path, "exec"), vars(module))  # noqa: S102 (text of our own making)
    options = _options(functions.values())
    return numba.njit(cache=folder is not None, **options)(getattr(module, own))
