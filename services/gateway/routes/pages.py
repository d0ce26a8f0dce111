"""The page's files: what a browser loads from /.

All of them are read once and looked up by their whole path: what a request names is never a path
of the file system.
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fastapi import APIRouter, Request, Response

from services.gateway.problems import Problem

PAGE = Path(__file__).resolve().parent.parent / "page"
FOLDERS = ("css", "js", "vendor")
VIEWS = (
    "/",
    "/symbol",
    "/symbol/{symbol}",
    "/scanner",
    "/trades",
    "/trades/{trade}",
    "/backtests",
    "/backtests/{backtest}",
    "/controls",
    "/system",
    "/account",
    "/login",
)
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",  # LICENSE, VERSION
}

router = APIRouter(include_in_schema=False)


class File(NamedTuple):
    """One file as it is sent."""

    body: bytes
    packed: bytes  # the same by gzip
    media_type: str
    etag: str


@cache
def files() -> dict[str, File]:
    """Every file of the page by its path: "index.html", "js/main.js"."""
    found = [PAGE / "index.html", PAGE / "icon.svg"]
    for folder in FOLDERS:
        found += [path for path in (PAGE / folder).rglob("*") if path.is_file()]
    return {path.relative_to(PAGE).as_posix(): _file(path) for path in sorted(found)}


def _file(path: Path) -> File:
    body = path.read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return File(body, gzip.compress(body, mtime=0), TYPES[path.suffix], etag)


def answer(request: Request, name: str) -> Response:
    """A file, or 304 where the browser has it as it is; Problem 404 where there is none."""
    file = files().get(name)
    if file is None:
        raise Problem(404, "unknown_path", "the page has no such file: see /")
    headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if file.etag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(file.packed, headers=headers, media_type=file.media_type)
    return Response(file.body, headers=headers, media_type=file.media_type)


async def view(request: Request) -> Response:
    """The page; which view of it, its own script reads from the address."""
    return answer(request, "index.html")


async def file_of(request: Request) -> Response:
    """A file of one of the page's folders."""
    return answer(request, request.url.path.removeprefix("/"))


for each in VIEWS:
    router.add_api_route(each, view, methods=["GET", "HEAD"])
for each in FOLDERS:
    router.add_api_route(f"/{each}/{{path:path}}", file_of, methods=["GET", "HEAD"])
router.add_api_route("/icon.svg", file_of, methods=["GET", "HEAD"])
