"""Queueing theory on a circuit: what each station gets and needs, which model answers, what comes of it."""
