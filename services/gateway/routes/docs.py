"""The page at /v1/docs: what /v1/openapi.json says, for people. It loads nothing from elsewhere.

Made here as plain HTML, without a script: it shows the routes and their shapes, and tries nothing.
"""

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)
METHODS = ("get", "post", "put", "patch", "delete")


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Routes by group, with what they take and answer."""
    return HTMLResponse(page_of(request.app.openapi()))


def page_of(document: dict[str, Any]) -> str:
    """The whole page."""
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method in operations:
                operation = operations[method]
                group = (operation.get("tags") or ["other"])[0]
                groups.setdefault(group, []).append(_operation(method, path, operation))
    shapes = document.get("components", {}).get("schemas", {})
    body = [
        "<h1>Chandler</h1>",
        "<p>Send <code>Authorization: Bearer TOKEN</code> (POST /v1/login) or "
        "<code>X-API-Key</code>. The same for programs: "
        '<a href="openapi.json">openapi.json</a>.</p>',
    ]
    for group, rows in sorted(groups.items()):
        body.append(f"<h2>{escape(group)}</h2>")
        body += rows
    body.append("<h2>Shapes</h2>")
    body += [_shape(name, shape) for name, shape in sorted(shapes.items())]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Chandler: API</title></head>'
        f"<body>{''.join(body)}</body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    said = escape(operation.get("description", ""))
    rows = [_parameter(each) for each in operation.get("parameters", [])]
    taken = operation.get("requestBody", {}).get("content", {})
    for kind, content in taken.items():
        rows.append(_row("body", escape(kind), _type(content.get("schema", {})), ""))
    for status, response in operation.get("responses", {}).items():
        kinds = [each.get("schema", {}) for each in response.get("content", {}).values()]
        shape = _type(kinds[0]) if kinds else ""
        rows.append(_row(f"→ {escape(status)}", "", shape, escape(response["description"])))
    title = f"<summary><code>{method.upper()} {escape(path)}</code></summary>"
    return f"<details>{title}<p>{said}</p><table>{''.join(rows)}</table></details>"


def _parameter(each: dict[str, Any]) -> str:
    schema = each.get("schema", {})
    usual = f", usually {schema['default']!r}" if schema.get("default") not in (None, "") else ""
    said = each.get("description") or schema.get("description", "")
    where = f"{each['in']}{', required' if each.get('required') else ''}"
    return _row(escape(each["name"]), where, _type(schema) + escape(usual), escape(said))


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _shape(name: str, shape: dict[str, Any]) -> str:
    rows = [
        _row(escape(field), _type(schema), escape(schema.get("description", "")))
        for field, schema in shape.get("properties", {}).items()
    ]
    said = escape(shape.get("description", ""))
    title = f'<summary id="{escape(name)}"><code>{escape(name)}</code></summary>'
    return f"<details>{title}<p>{said}</p><table>{''.join(rows)}</table></details>"


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words, with links to shapes."""
    return " or ".join(_types(schema))


def _types(schema: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        yield f'<a href="#{name}">{name}</a>'
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _types(each)
    elif "enum" in schema:
        yield escape(" | ".join(map(repr, schema["enum"])))
    elif schema.get("type") == "array":
        yield f"list of {_type(schema.get('items', {}))}"
    elif isinstance(schema.get("additionalProperties"), dict):
        yield f"map of {_type(schema['additionalProperties'])}"
    else:
        yield escape(str(schema.get("type", "anything")))
