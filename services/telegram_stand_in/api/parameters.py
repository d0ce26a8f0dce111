"""A request's parameters: from its address, JSON, a form, or parts with files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import BodyPartReader, web

from services.telegram_stand_in.pictures import DOCUMENT_BYTES_MAX
from services.telegram_stand_in.refusals import ApiError, bad

FIELDS_MAX = 100
TRUE = {"true", "1", "yes", "on"}


@dataclass(slots=True)
class Upload:
    """A file that came with a request."""

    name: str
    data: bytes


@dataclass(slots=True)
class Parameters:
    """Values as texts or JSON, files by the name of their part."""

    values: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A text; empty where there is none."""
        value = self.values.get(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else json.dumps(value)

    def number(self, name: str, default: int = 0) -> int:
        """A whole number; what isn't one counts as `default`, as the real one does."""
        try:
            return int(self.text(name))
        except ValueError:
            return default

    def flag(self, name: str) -> bool:
        """True for true, 1, yes and on."""
        return self.text(name).lower() in TRUE

    def json(self, name: str, what: str) -> Any:
        """A JSON value, also as a text that holds one; None where there is none."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            raise bad(f"can't parse {what} JSON object") from None

    def file(self, name: str) -> Upload | str | None:
        """An upload, directly or as attach://PART; a text that names one; None."""
        if name in self.files:
            return self.files[name]
        text = self.text(name)
        if text.startswith("attach://"):
            return self.files.get(text.removeprefix("attach://"))
        return text or None


async def read_parameters(request: web.Request) -> Parameters:
    """Of a request; ApiError 400 or 413 where its body can't be read."""
    found = Parameters(dict(request.query))
    kind = request.content_type
    if request.method == "GET" or not request.can_read_body:
        return found
    try:
        if kind == "application/json":
            body = orjson.loads(await request.read())
            if not isinstance(body, Mapping):
                raise bad("expected a JSON object as the body")
            found.values.update(body)
        elif kind == "application/x-www-form-urlencoded":
            found.values.update(
                {name: str(value) for name, value in (await request.post()).items()}
            )
        elif kind == "multipart/form-data":
            await _read_parts(request, found)
    except orjson.JSONDecodeError:
        raise bad("can't parse the body as JSON") from None
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "Request Entity Too Large") from None
    except (ValueError, LookupError, AssertionError):
        raise bad("can't parse the body") from None
    return found


async def _read_parts(request: web.Request, found: Parameters) -> None:
    size = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise bad("can't parse the body: expected parts with names")
        data = bytearray()
        while chunk := await part.read_chunk(1 << 16):
            data += chunk
            size += len(chunk)
            if size > DOCUMENT_BYTES_MAX:
                raise ApiError(413, "Request Entity Too Large")
        if len(found.values) + len(found.files) > FIELDS_MAX:
            raise bad(f"more than {FIELDS_MAX} fields")
        if part.filename is not None:
            found.files[part.name] = Upload(part.filename, bytes(data))
        else:
            found.values[part.name] = data.decode("utf-8", "replace")
