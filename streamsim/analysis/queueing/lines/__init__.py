"""Lines and networks with finite pipes: who is blocked, who is starved, and what gets through.

==================  ================================================================================
file                what it holds
==================  ================================================================================
``saturated``       `saturated_line`: the chain of the whole line, or windows where that is too large
``description``     `Line`, the question; `LineAnswer` and `StationShares`, the answer
``section``         the Markov chain of a section of a line, every event for all states at once
``servers``         the phases of the servers of one station, as a table
``windows``         overlapping windows, each exact with what its neighbours know
``steady``          the steady state of a finite chain: dense, sparse, or by aggregation
``answer``          from the solved chain to the time shares of a station
==================  ================================================================================

Importing this package loads neither numpy nor scipy.
"""

from __future__ import annotations

from streamsim.analysis.queueing.lines.description import Line, LineAnswer, StationShares, line
from streamsim.analysis.queueing.lines.saturated import saturated_line, solve_line

__all__ = ["Line", "LineAnswer", "StationShares", "line", "saturated_line", "solve_line"]
