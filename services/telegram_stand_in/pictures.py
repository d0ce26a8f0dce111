"""Files that a bot sends: what they are by their bytes, kept in memory up to a bound."""

import hashlib
import struct
from collections import OrderedDict
from dataclasses import dataclass

from services.telegram_stand_in.refusals import ApiError, bad

KEPT_BYTES_MAX = 64 << 20  # the oldest are forgotten
PHOTO_BYTES_MAX = 10 << 20
DOCUMENT_BYTES_MAX = 50 << 20
PHOTO_SIDES_MAX = 10_000  # width + height
PHOTO_RATIO_MAX = 20


@dataclass(slots=True, frozen=True)
class File:
    """Bytes with a name; `kind` is their media type, by their first bytes."""

    id: str
    name: str
    kind: str
    data: bytes
    width: int = 0
    height: int = 0


class Files:
    """A bot's files by id, the oldest forgotten first."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, File] = OrderedDict()
        self._bytes = 0

    def get(self, file_id: str) -> File | None:
        """None where there is none, or no more."""
        return self._files.get(file_id)

    def add(self, name: str, data: bytes, *, photo: bool) -> File:
        """Keeps a file; ApiError 400 or 413 where it isn't what it has to be."""
        if not data:
            raise bad("file must be non-empty")
        if len(data) > (PHOTO_BYTES_MAX if photo else DOCUMENT_BYTES_MAX):
            raise ApiError(413, "Request Entity Too Large")
        kind, width, height = kind_of(data)
        if photo:
            if not width or not height:
                raise bad("IMAGE_PROCESS_FAILED")
            if width + height > PHOTO_SIDES_MAX or (
                max(width, height) > PHOTO_RATIO_MAX * min(width, height)
            ):
                raise bad("PHOTO_INVALID_DIMENSIONS")
        digest = hashlib.sha256(b"photo" if photo else b"file")
        digest.update(name.encode("utf-8", "replace") + b"\0" + data)
        file = File(f"AgAC{digest.hexdigest()[:40]}", name, kind, data, width, height)
        if file.id not in self._files:
            self._files[file.id] = file
            self._bytes += len(data)
        while self._bytes > KEPT_BYTES_MAX and len(self._files) > 1:
            self._bytes -= len(self._files.popitem(last=False)[1].data)
        return file


def kind_of(data: bytes) -> tuple[str, int, int]:
    """Media type, width and height in pixels; 0 where it is no picture that can be read."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and len(data) >= 24:
        return "image/png", *struct.unpack(">II", data[16:24])
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:
        return "image/gif", *struct.unpack("<HH", data[6:10])
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg", *_jpeg_size(data)
    return ("application/pdf" if data.startswith(b"%PDF") else "application/octet-stream"), 0, 0


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height from the frame's header (a segment C0 to CF but C4, C8, CC)."""
    index = 2
    while index + 9 <= len(data) and data[index] == 0xFF:
        marker, length = data[index + 1], int.from_bytes(data[index + 2 : index + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[index + 5 : index + 9])
            return width, height
        index += 2 + length
    return 0, 0
