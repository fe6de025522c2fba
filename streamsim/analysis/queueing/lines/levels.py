"""A section whose first pipe has no end: a quasi-birth-death chain over what waits there.

Its states are those of a section that others precede, with u records at hand. Once there are as many at hand as the
first station has servers, only the number that waits goes on rising: those are the levels from 1 up. All states with
fewer at hand are level 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamsim.analysis.queueing.lines.section import GAIN_HAND, KEEP_HAND, LOSE_HAND, Section
from streamsim.analysis.queueing.lines.servers import Floats
from streamsim.analysis.queueing.map_process import MarkovProcess
from streamsim.analysis.queueing.qbd import solve_levels

if TYPE_CHECKING:
    from streamsim.analysis.queueing.phase_type import Matrix


@dataclass(frozen=True)
class Endless:
    """The steady state of such a section: the share of each state, and the mean number at hand."""

    shares: Floats
    at_hand: float


def solve_endless(section: Section, arrivals: MarkovProcess) -> Endless:
    """Solve a section whose first station is reached by these arrivals; what it asks of its end is in `boundary`.

    Raises ModelError where the load is 1 but for rounding. The section must be `fed`.
    """
    servers = section.line.servers[section.first]
    full = section.at_hand() == servers
    few = ~full
    below, above = int(few.sum()), int(full.sum())
    # what is at hand is known here: the level tells the two outcomes of a completion apart, and the arrivals are given
    gain = section.kind == GAIN_HAND
    known = (section.kind == KEEP_HAND) | (section.kind == LOSE_HAND) | gain
    rates = np.where(known, section.base, section.rates)
    staying = ~known
    silent, eventful = arrivals.arrays()
    quiet = silent - np.diag(np.diag(silent))
    calm = np.eye(arrivals.phases)

    number = np.where(full, np.cumsum(full), np.cumsum(few)) - 1

    def block(wanted: Floats, from_full: bool, to_full: bool) -> Matrix:
        """Return the rates of the wanted transitions from one part of the states to the other."""
        take = wanted & (full[section.source] == from_full) & (full[section.target] == to_full)
        rows, columns = (above if from_full else below), (above if to_full else below)
        place = number[section.source[take]] * columns + number[section.target[take]]
        return np.asarray(np.bincount(place, rates[take], rows * columns).reshape(rows, columns), dtype=np.float64)

    up = np.kron(np.eye(above), eventful)
    down = np.kron(block(section.kind == KEEP_HAND, True, True), calm)
    local = np.kron(block(staying, True, True), calm) + np.kron(np.eye(above), quiet)
    local -= np.diag((local + up + down).sum(axis=1))
    enter = np.kron(block(gain, False, True), eventful)
    low = np.kron(block(staying, False, False), calm) + np.kron(block(gain, False, False), eventful)
    low += np.kron(np.eye(below), quiet)
    low -= np.diag(low.sum(axis=1) + enter.sum(axis=1))
    levels = solve_levels(
        up,
        local,
        down,
        empty_up=enter,
        empty_local=low,
        empty_down=np.kron(block(section.kind == LOSE_HAND, True, False), calm),
    )
    waiting = levels.phase_shares()
    shares = np.zeros(section.size)
    shares[few] = levels.empty.reshape(below, arrivals.phases).sum(axis=1)
    shares[full] = waiting.reshape(above, arrivals.phases).sum(axis=1)
    # level n ≥ 1 has servers − 1 + n records at hand
    beyond = levels.mean_level + (servers - 1) * float(waiting.sum())
    return Endless(shares, float(shares[few] @ section.at_hand()[few]) + beyond)
