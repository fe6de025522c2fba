"""Simulates circuits record by record: one model table, two engines, the same departures.

`table` says what a circuit is here, `interpret` runs it in SimPy and is the specification.
"""
