"""Reads a plug-in's source and says what an evaluator may not do: files, clocks, chance, state.

What it allows is a list; all else is a line. It reads and never runs.
"""

import ast
from collections.abc import Collection, Iterator

# Modules without a clock, chance, files, network or caches.
ALLOWED = {
    "__future__",
    "chandler.core",
    "chandler.strategies",
    "collections.abc",
    "dataclasses",
    "decimal",
    "enum",
    "fractions",
    "math",
    "msgspec",
    "typing",
}
CALLS = {
    "__import__": "it imports what can't be seen",
    "breakpoint": "it stops the service",
    "compile": "it runs what can't be seen",
    "eval": "it runs what can't be seen",
    "exec": "it runs what can't be seen",
    "globals": "it can keep something between calls",
    "hash": "text has another hash in each process",
    "id": "it differs in each process",
    "input": "it waits for a person",
    "open": "it reads a file",
    "setattr": "it can keep something between calls",
    "vars": "it can keep something between calls",
}


def forbidden(source: str, *, own: Collection[str] = ()) -> list[str]:
    """One line for each thing in `source` that can look ahead or make two runs differ.

    `own` are the names of the plug-in's other modules, which are read by themselves.
    """
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        found.extend(f"line {line}: {what}" for what in _of(node, own))
    return sorted(found, key=lambda line: int(line.split()[1].rstrip(":")))


def _of(node: ast.AST, own: Collection[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if not _allowed(alias.name, own):
                yield _import(alias.name)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        if not _allowed(node.module or "", own):
            yield _import(node.module or "")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in CALLS:
            yield f"calls {node.func.id}: {CALLS[node.func.id]}"
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        word = type(node).__name__.lower()
        yield f"{word} {', '.join(node.names)}: it keeps something between calls"
    elif isinstance(node, ast.FunctionDef):
        yield from _kept(node)
    elif isinstance(node, (ast.AsyncFunctionDef, ast.Await)):
        yield "is asynchronous: an evaluator is a plain function"


def _allowed(module: str, own: Collection[str]) -> bool:
    names = {*ALLOWED, *own}
    return any(module == name or module.startswith(f"{name}.") for name in names)


def _import(module: str) -> str:
    return f"imports {module}: an evaluator sees no clock, no chance, no file and no network"


def _kept(function: ast.FunctionDef) -> Iterator[str]:
    """Attributes and items of something that isn't the function's own."""
    local = {
        node.id
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in ast.walk(function):
        if not isinstance(node, (ast.Attribute, ast.Subscript)):
            continue
        if not isinstance(node.ctx, (ast.Store, ast.Del)):
            continue
        root: ast.expr = node
        while isinstance(root, (ast.Attribute, ast.Subscript)):
            root = root.value
        if not (isinstance(root, ast.Name) and root.id in local):
            yield f"{function.name} changes {ast.unparse(node)}: it keeps something between calls"
