"""gateway: the door for programs and people: REST, WebSocket and the page."""
