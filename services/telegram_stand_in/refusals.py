"""What the Bot API says no with: a code, a description in its own words, and parameters."""

from typing import Any


class ApiError(Exception):
    """An answer that isn't ok; the HTTP status is its code."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters

    def body(self) -> dict[str, Any]:
        """As the client reads it."""
        said = {"ok": False, "error_code": self.code, "description": self.description}
        return said | ({"parameters": self.parameters} if self.parameters else {})


def bad(reason: str) -> ApiError:
    """400: the request can't be done as it is."""
    return ApiError(400, f"Bad Request: {reason}")


def conflict(reason: str) -> ApiError:
    """409: another one does the same."""
    return ApiError(409, f"Conflict: {reason}")


def too_many(retry_after_s: int) -> ApiError:
    """429: not before `retry_after_s` seconds have passed."""
    return ApiError(
        429, f"Too Many Requests: retry after {retry_after_s}", retry_after=retry_after_s
    )
