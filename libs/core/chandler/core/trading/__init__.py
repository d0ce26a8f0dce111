"""Orders, positions and money: what the desk, the positions and the venues speak about."""
