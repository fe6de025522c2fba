"""Watching a circuit that runs, from outside: through /proc alone, for at most 1 % of a core."""
