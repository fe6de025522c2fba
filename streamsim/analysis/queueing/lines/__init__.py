"""Lines and networks with finite pipes: who is blocked, who is starved, and what gets through.

==================  ================================================================================
file                what it holds
==================  ================================================================================
``saturated``       `saturated_line`: the chain of the whole line, or windows where that is too large
``open_line``       `open_line`: random arrivals and an endless first pipe
``levels``          a section with an endless first pipe, as a quasi-birth-death chain
``description``     `Line`, the question; `LineAnswer` and `StationShares`, the answer
``section``         the Markov chain of a section of a line, every event for all states at once
``servers``         the phases of the servers of one station, as a table
``windows``         overlapping windows, each exact with what its neighbours know
``network``         splits, merges, loops, closed lines: `FiniteNetwork`, the question, and `FiniteAnswer`
``network_chain``   their Markov chain, state by state
``network_windows`` splits and merges too large for one chain, by windows of some stations (``network_window``)
``steady``          the steady state of a finite chain: dense, sparse, or by aggregation
``answer``          from the solved chain to the time shares of a station
==================  ================================================================================

Importing this package loads neither numpy nor scipy.
"""

from __future__ import annotations

from streamsim.analysis.queueing.lines.description import Line, LineAnswer, OpenLineAnswer, StationShares, line
from streamsim.analysis.queueing.lines.network import (
    FiniteAnswer,
    FiniteNetwork,
    FiniteStation,
    closed_line,
    finite_network,
    solve_network,
)
from streamsim.analysis.queueing.lines.open_line import open_line, solve_open_line
from streamsim.analysis.queueing.lines.saturated import saturated_line, solve_line

__all__ = [
    "FiniteAnswer",
    "FiniteNetwork",
    "FiniteStation",
    "Line",
    "LineAnswer",
    "OpenLineAnswer",
    "StationShares",
    "closed_line",
    "finite_network",
    "line",
    "open_line",
    "saturated_line",
    "solve_line",
    "solve_network",
    "solve_open_line",
]
