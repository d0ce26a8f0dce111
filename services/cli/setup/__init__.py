"""`setup`: asks what an installation needs, checks it, writes it."""
