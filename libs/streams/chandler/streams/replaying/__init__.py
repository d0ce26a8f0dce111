"""Past records published again under another topic prefix, in event time."""

from chandler.streams.replaying.plan import OPEN as OPEN
from chandler.streams.replaying.plan import WHOLE as WHOLE
from chandler.streams.replaying.plan import Mark as Mark
from chandler.streams.replaying.plan import Plan as Plan
from chandler.streams.replaying.plan import ReplayError as ReplayError
from chandler.streams.replaying.source import Source as Source
from chandler.streams.replaying.target import Target as Target
