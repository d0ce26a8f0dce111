"""Ctrl-C that is not lost: Python drops a KeyboardInterrupt that is raised inside a callback.

(While modules are loaded, in a destructor, in a weak reference's: "Exception ignored in …".)
"""

import signal
import threading
from types import FrameType

_asked = threading.Event()


def listen() -> None:
    """From now on Ctrl-C is remembered, and interrupts as ever; where it is ignored it stays so."""
    _asked.clear()
    ours = threading.current_thread() is threading.main_thread()
    if ours and signal.getsignal(signal.SIGINT) in (signal.default_int_handler, _interrupt):
        signal.signal(signal.SIGINT, _interrupt)


def check() -> None:
    """KeyboardInterrupt if one was asked for since `listen`, even if it was dropped then."""
    if _asked.is_set():
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    _asked.set()
    signal.default_int_handler(number, frame)
