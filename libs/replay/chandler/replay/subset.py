"""The compiled subset: what a function may use that runs interpreted live and compiled in replay.

Both worlds must give the same bits. So: numbers, NamedTuples and fixed tuples; + - * / and
math.sqrt; if, and for over range or a tuple; NamedTuples and functions that keep to this too.
Everything else is a violation (powers, floor division, round, sum, min, max, strings, lists …).
"""

import ast
import inspect
import math
import textwrap
from collections.abc import Callable
from types import FunctionType
from typing import Any

STATEMENTS = (
    ast.Return,
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.If,
    ast.For,
    ast.Pass,
    ast.Break,
    ast.Continue,
)
EXPRESSIONS = (
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Slice,
    ast.Tuple,
    ast.Constant,
    ast.Call,
)
OPERATORS = (
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.USub, ast.Not, ast.And, ast.Or),
    *(ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
    *(ast.Load, ast.Store),
)
BUILTINS: tuple[Any, ...] = (range, len, abs)


def violations(function: Callable[..., Any]) -> list[str]:
    """One line for each thing in `function`, or in a function that it calls, outside the subset.

    Annotations, defaults and decorators aren't looked at: they don't run in a step.
    """
    found: list[str] = []
    _check(inspect.unwrap(function), found, set())
    return found


def _check(function: Callable[..., Any], found: list[str], done: set[Any]) -> None:
    if function in done:
        return
    done.add(function)
    name = getattr(function, "__name__", repr(function))
    if not isinstance(function, FunctionType):
        found.append(f"{name}: expected a plain function, found {type(function).__name__}")
        return
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        found.append(f"{name}: expected a function made by def")
        return
    walk = _Walk(function, tree, first, found)
    for statement in tree.body:
        walk.visit(statement)
    for callee in walk.callees:
        _check(callee, found, done)


class _Walk(ast.NodeVisitor):
    """Goes through one function's body; whatever isn't known to be allowed is a violation."""

    def __init__(
        self, function: FunctionType, tree: ast.FunctionDef, first: int, found: list[str]
    ) -> None:
        self.where = f"{function.__module__}.{function.__name__}"
        self.globals = function.__globals__
        self.first = first
        self.found = found
        self.callees: list[FunctionType] = []
        spec = tree.args
        names = [a.arg for a in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs)]
        stored = [
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
        self.locals = {*names, *stored}
        self.docstring = tree.body[0] if ast.get_docstring(tree) is not None else None
        if spec.vararg or spec.kwarg:
            self._refuse(tree, "*args and **kwargs")
        if function.__closure__:
            self._refuse(tree, "a closure")

    def _refuse(self, node: ast.AST, what: str) -> None:
        line = self.first + getattr(node, "lineno", 1) - 1
        self.found.append(f"{self.where} line {line}: {what} isn't in the compiled subset")

    def generic_visit(self, node: ast.AST) -> None:
        if not isinstance(node, STATEMENTS + EXPRESSIONS + OPERATORS):
            self._refuse(node, f"{type(node).__name__} ({_shown(node)})")
            return
        super().generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if node is not self.docstring:
            self._refuse(node, f"a statement without effect ({_shown(node)})")

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if not isinstance(value, int | float) or not math.isfinite(value):
            self._refuse(node, f"the constant {node.value!r}")

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_For(self, node: ast.For) -> None:
        call = node.iter
        if isinstance(call, ast.Call) and _shown(call.func) != "range":
            self._refuse(node, f"a loop over {_shown(call)}")
        if node.orelse:
            self._refuse(node, "else after a loop")
        self.visit(node.iter)
        for statement in node.body:
            self.visit(statement)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Mod):
            right = self._constant(node.right)
            if type(right) is not int or right <= 0:
                self._refuse(node, f"% by anything but a positive int constant ({_shown(node)})")
            self.visit(node.left)
        elif isinstance(node.op, OPERATORS):
            self.generic_visit(node)
        else:
            self._refuse(node, f"{type(node.op).__name__} ({_shown(node)})")

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self.locals:
            return
        value = self._constant(node)
        parts = value if isinstance(value, tuple) else (value,)
        if not all(type(part) in (int, float, bool) for part in parts):
            self._refuse(node, f"the name {node.id!r}, which is no number,")

    def visit_Call(self, node: ast.Call) -> None:
        for part in node.args:
            self.visit(part)
        if node.keywords or any(isinstance(part, ast.Starred) for part in node.args):
            self._refuse(node, f"a call with other than plain arguments ({_shown(node)})")
        if _shown(node.func) == "math.sqrt" and self.globals.get("math") is math:
            return
        callee = None
        if isinstance(node.func, ast.Name) and node.func.id not in self.locals:
            callee = self.globals.get(node.func.id, _builtin(node.func.id))
        if isinstance(callee, FunctionType):
            self.callees.append(callee)
        elif callee not in BUILTINS and not _is_record(callee):
            self._refuse(node, f"a call of {_shown(node.func)}")

    def _constant(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name) and node.id not in self.locals:
            return self.globals.get(node.id)
        return None


def _builtin(name: str) -> Any:
    return next((one for one in BUILTINS if one.__name__ == name), None)


def _is_record(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields")


def _shown(node: ast.AST) -> str:
    """The node as source, or its name where it is an operator."""
    return ast.unparse(node) if isinstance(node, ast.expr | ast.stmt) else type(node).__name__
