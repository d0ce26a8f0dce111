"""Signals and commands on their way to the topics, each once, and what became of them."""
