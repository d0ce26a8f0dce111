"""Commands that start and watch services."""
