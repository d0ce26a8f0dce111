"""Sizes that keep the tree readable: each message says the cure."""

import ast
import re
from collections import Counter

from tests.project.tree import ROOT, modules, parsed, shown

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400
FOLDER_MODULES_MAX = 12
LINE_LENGTH_MAX = 100
PRAGMA = re.compile(r"\s*# (noqa|type: ignore).*")


def test_a_module_is_short():
    faults = []
    for path in modules():
        lines = path.read_text().splitlines()
        if len(lines) > MODULE_LINES_MAX:
            faults.append(
                f"{shown(path)} has {len(lines)} lines, at most {MODULE_LINES_MAX}: split it by "
                "what it does"
            )
        faults += [
            f"{shown(path)}:{number} is longer than {LINE_LENGTH_MAX} characters: break it"
            for number, line in enumerate(lines, 1)
            if len(PRAGMA.sub("", line)) > LINE_LENGTH_MAX
        ]

    assert not faults, "\n".join(faults)


def test_a_function_fits_on_a_screen():
    faults = [
        f"{shown(path)}:{node.lineno} {node.name} has {lines} lines, at most "
        f"{FUNCTION_LINES_MAX}: give a part of it a name"
        for path in modules()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]

    assert not faults, "\n".join(faults)


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


def test_a_module_says_what_it_is():
    faults = [
        f"{shown(path)} begins without a sentence that says what it is: write one"
        for path in modules("libs", "services")
        if not (path.name == "__init__.py" and not path.read_text().strip())
        and not ast.get_docstring(parsed(path))
    ]

    assert not faults, "\n".join(faults)
