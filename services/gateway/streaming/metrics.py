"""What the stream measures."""

from services.declaration import Metric
from services.gateway.streaming.ended import End

METRICS = (
    Metric(name="chandler_gateway_sockets", kind="gauge", doc="open WebSockets"),
    Metric(
        name="chandler_gateway_sockets_ended_total",
        kind="counter",
        doc="WebSockets that were closed from here, by why",
        labels=("why",),
        known=tuple(end.kind for end in End),
    ),
    Metric(
        name="chandler_gateway_stream_messages_total",
        kind="counter",
        doc="messages that were made; each goes to all who hear it",
    ),
    Metric(
        name="chandler_gateway_stream_waiting_messages",
        kind="gauge",
        doc="messages that wait for the client for which most wait",
    ),
)
