"""Readings for those that keep their own places, and of stretches of a topic."""
