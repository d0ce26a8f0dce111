"""Core and strategies are pure: what ruff's ban on imports can't see is looked for here."""

import ast

import pytest

from tests.project.tree import modules, parsed, shown

IMPORTS = {
    "asyncio",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "sys",
    "threading",
    "time",
    "uuid",
}
CALLS = {"now", "utcnow", "today", "uuid4", "open", "print", "input", "eval", "exec", "__import__"}
PURE = modules("libs/core", "libs/strategies")


@pytest.mark.parametrize("path", PURE, ids=shown)
def test_it_asks_neither_the_machine_nor_the_clock(path):
    for node in ast.walk(parsed(path)):
        found = ""
        if isinstance(node, ast.Import):
            found = next((one.name for one in node.names if one.name.split(".")[0] in IMPORTS), "")
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found = module if module.split(".")[0] in IMPORTS else ""
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            found = name if name in CALLS else ""

        assert not found, (
            f"{shown(path)}:{getattr(node, 'lineno', 0)} uses {found}: core and strategies are "
            "pure, pass the value in"
        )
