"""Sizes that keep the tree readable: each message says the cure."""

import ast
import re
from collections import Counter

import pytest

from tests.project.tree import ROOT, modules, parsed, shown

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400
FOLDER_MODULES_MAX = 12
LINE_LENGTH_MAX = 100
PRAGMA = re.compile(r"\s*# (noqa|type: ignore).*")


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_a_module_is_short(path):
    lines = path.read_text().splitlines()
    longest = max((len(PRAGMA.sub("", line)) for line in lines), default=0)

    assert len(lines) <= MODULE_LINES_MAX, (
        f"{shown(path)} has {len(lines)} lines, at most {MODULE_LINES_MAX}: split it by what "
        "it does"
    )
    assert longest <= LINE_LENGTH_MAX, (
        f"{shown(path)} has a line of {longest} characters, at most {LINE_LENGTH_MAX}: break it"
    )


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_a_function_fits_on_a_screen(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1

            assert lines <= FUNCTION_LINES_MAX, (
                f"{shown(path)}:{node.lineno} {node.name} has {lines} lines, at most "
                f"{FUNCTION_LINES_MAX}: give a part of it a name"
            )


def test_a_folder_can_be_overseen():
    counts = Counter(
        shown(path.parent)
        for path in modules("libs", "services", "benchmarks")
        if path.name != "__init__.py" and path.parent != ROOT
    )

    for folder, count in counts.items():
        assert count <= FOLDER_MODULES_MAX, (
            f"{folder} holds {count} modules, at most {FOLDER_MODULES_MAX}: put those that "
            "belong together into a folder of their own"
        )


@pytest.mark.parametrize("path", modules("libs", "services"), ids=shown)
def test_a_module_says_what_it_is(path):
    if path.name == "__init__.py" and not path.read_text().strip():
        return

    assert ast.get_docstring(parsed(path)), (
        f"{shown(path)} begins without a sentence that says what it is: write one"
    )
