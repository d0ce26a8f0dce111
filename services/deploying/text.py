"""Plain data as YAML that people can read: mappings, lists, texts, numbers, truth; nothing else."""

import json
import re
from collections.abc import Mapping, Sequence

Scalar = str | int | float | bool | None
Plain = Mapping[str, "Plain"] | Sequence["Plain"] | Scalar
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def document(value: Plain) -> str:
    """One YAML document, without its separator."""
    return "\n".join(_lines(value, 0)) + "\n"


def documents(comment: str, values: Sequence[Plain]) -> str:
    """Several, below a comment."""
    return f"# {comment}\n" + "---\n".join(document(value) for value in values)


def _lines(value: Plain, depth: int) -> list[str]:
    pad = "  " * depth
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if _is_flat(inner):
                lines.append(f"{pad}{_scalar(key)}: {_scalar(inner)}")
            else:
                lines += [f"{pad}{_scalar(key)}:", *_lines(inner, depth + 1)]
        return lines
    assert isinstance(value, Sequence)
    assert not isinstance(value, str)
    for item in value:
        if _is_flat(item):
            lines.append(f"{pad}- {_scalar(item)}")
        else:
            first, *rest = _lines(item, depth + 1)
            lines += [f"{pad}- {first.lstrip()}", *rest]
    return lines


def _is_flat(value: Plain) -> bool:
    return isinstance(value, str | int | float | None) or not value


def _scalar(value: Plain) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)
