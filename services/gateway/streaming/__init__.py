"""The WebSocket: what happens, sent to whoever may see it, each thing encoded once."""
