"""Candles from files and from the venue's history into the topics."""
