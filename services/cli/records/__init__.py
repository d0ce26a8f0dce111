"""Commands that read topics."""
