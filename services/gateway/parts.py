"""What the gateway's routes stand on."""

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from chandler.streams.settings import Installation
from services.declaration import Metrics
from services.following.sources import Sources
from services.following.views import Views
from services.gateway.recent import Recent
from services.profile import Profile


class Access(Protocol):
    """Tells who calls."""

    async def caller(self, request: Any) -> Any:
        """The Caller of a request or a WebSocket's handshake; None: nobody that is known."""

    def by_token(self, token: str) -> Any:
        """The Caller of a session's token. Problem 401."""

    def by_key(self, text: str) -> Any:
        """The Caller of `id.secret`. Problem 401."""

    def limit(self, caller: Any) -> None:
        """Problem 429 where a Caller asks too often."""


class Parts(msgspec.Struct, kw_only=True):
    """One gateway's."""

    installation: Installation
    profile: Profile
    views: Views
    sources: Sources
    access: Access
    now_ms: Callable[[], int]  # wall time
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    sending: Any = None  # sending.sending.Sending: who needs it asserts that
    streaming: Any = None  # streaming.stream.Stream: who needs it asserts that
    recent: Recent = msgspec.field(default_factory=Recent)
    code: str = ""  # hash of the installed core and strategies
