"""What a person writes or taps, decided. Pure: time comes in, commands and questions go out."""

from services.notifier.talking.commands import commands_for
from services.notifier.talking.deciding import decide
from services.notifier.talking.known import Talking

__all__ = ["Talking", "commands_for", "decide"]
