"""Output analysis: warm-up, streaming estimates in constant memory, replications, and when they are enough."""
