"""What both ends of the Bot API agree on: where its server is, and the stand-in's own token."""

from chandler.streams.settings import PORT_TELEGRAM, Installation
from services.profile import TelegramConfig

API_URL = "https://api.telegram.org"
# A stand-in's token opens nothing: whoever reaches its port is anybody there.
STAND_IN_TOKEN = "100000001:token-of-the-stand-in-that-opens-nothing"  # noqa: S105
STAND_IN_USERNAME = "chandler_bot"


def api_url(installation: Installation, telegram: TelegramConfig) -> str:
    """The Bot API server of a profile, without a slash at its end; nothing else is ever asked."""
    if telegram.api_url:
        return telegram.api_url.rstrip("/")
    if telegram.stand_in:
        return f"http://{installation.telegram_host}:{installation.port(PORT_TELEGRAM)}"
    return API_URL
