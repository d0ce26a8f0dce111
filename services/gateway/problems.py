"""Errors as people and programs see them: problem details (RFC 9457)."""

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "It can't be read",
    401: "Who are you?",
    403: "Not yours to do",
    404: "There is no such thing",
    405: "Not done that way",
    408: "It took too long to arrive",
    409: "It contradicts what was said before",
    413: "Too large",
    415: "Another kind of content",
    421: "Not at this address",
    422: "It can't be taken as it is",
    429: "Too many requests",
    500: "A fault of ours",
    503: "Not now",
}
KINDS = {400: "unreadable", 404: "unknown_path", 405: "wrong_method", 413: "too_large"}
SAID = {
    404: "expected a path of /v1/docs",
    400: "the body can't be read: expected JSON as /v1/docs has it",
}
SCHEMA = {
    "title": "Problem",
    "type": "object",
    "required": ["type", "title", "status", "kind", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "kind": {"type": "string", "description": "what programs look at"},
        "detail": {"type": "string", "description": "expected, found, to do: one line"},
    },
}
ALWAYS = (400, 413, 422, 429)  # any route may answer so


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """A request can't be answered: `detail` is one line, what was expected, found, and to do."""

    def __init__(
        self, status: int, kind: str, detail: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind  # what programs look at: "unknown_symbol"
        self.detail = detail
        self.headers = headers or {}


def body_of(problem: Problem) -> dict[str, Any]:
    """The problem as JSON has it."""
    return {
        "type": f"/problems#{problem.kind}",
        "title": TITLES.get(problem.status, "It can't be answered"),
        "status": problem.status,
        "kind": problem.kind,
        "detail": problem.detail,
    }


def raw_of(problem: Problem) -> bytes:
    """The same as bytes: whatever characters a detail has, it can be sent."""
    return json.dumps(body_of(problem)).encode()


def answer_of(problem: Problem) -> Response:
    """The problem as an answer."""
    return Response(raw_of(problem), problem.status, problem.headers, MEDIA_TYPE)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer so, beside what any route may."""
    return {
        status: {
            "description": TITLES[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({*statuses, *ALWAYS})
    }


def install(app: FastAPI) -> None:
    """Every refusal of the app is a problem; none quotes what was sent."""

    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return answer_of(error)

    async def unfit(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return answer_of(Problem(400, "unreadable", SAID[400]))
        where = ".".join(map(_plain, first["loc"][1:])) or "the body"
        said = first["msg"][:1].lower() + first["msg"][1:]  # what it names keeps its letters
        if not first["loc"][1:] and first["type"] == "model_attributes_type":
            said = "expected a JSON object, with the header Content-Type: application/json"
        return answer_of(Problem(422, "invalid", f"{where}: {said}"))

    async def other(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = KINDS.get(error.status_code, "refused")
        detail = SAID.get(error.status_code, str(error.detail))
        return answer_of(Problem(error.status_code, kind, detail, dict(error.headers or {})))

    app.add_exception_handler(Problem, ours)
    app.add_exception_handler(RequestValidationError, unfit)
    app.add_exception_handler(HTTPException, other)


def _plain(part: int | str) -> str:
    """A step of the way to a field; a name that was sent is shortened, and only ASCII."""
    return str(part)[:40].encode("ascii", "replace").decode()
