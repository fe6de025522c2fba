"""Waiting for a crew: every ending is judged, the first failure stops the rest."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from typing import Protocol

from streamsim.errors import RunError
from streamsim.real.children import Child
from streamsim.real.control.rescale import Stranded
from streamsim.real.endings import judge
from streamsim.real.halted import Halted
from streamsim.real.launch import Crew
from streamsim.real.leftovers import Leftovers
from streamsim.real.replacing import Replacing
from streamsim.real.rousing import Rousing
from streamsim.real.standstill import Standstill

_LOOK_S = 1.0
"""How often the files of standard error are looked at."""


class Watcher(Protocol):
    """Who watches the processes while they run."""

    def sleep_s(self) -> float:
        """Return how long to sleep until the next look."""

    def look(self) -> None:
        """Look at all that live."""

    def ending(self, child: Child) -> None:
        """Look at one that has ended and is not yet reaped: its counters are final now."""


def supervise(crew: Crew, watcher: Watcher | None = None, *, collected: bool = True) -> list[str]:
    """Wait until all processes have ended; return warnings about them (what was done to the pipes goes to the crew's).

    Raises
    ------
    RunError : the circuit stands still and no larger pipe would help; or a station failed: of several that failed at
        once, the one furthest upstream, for the others may have failed of its silence.
    KeyboardInterrupt : a station died of the terminal's Ctrl-C.
    """
    with closing(Replacing(crew, measured=watcher is not None)) as replacing:
        return _supervise(crew, watcher, replacing, collected=collected)


def _supervise(crew: Crew, watcher: Watcher | None, replacing: Replacing, *, collected: bool) -> list[str]:
    warnings: list[str] = []
    standstill, halted, rousing = Standstill(crew), Halted(crew.directory, often=watcher is not None), Rousing()
    leftovers = Leftovers(crew.joints, crew.setting.say)
    stranded = Stranded(crew.directory)
    while crew.running:
        pause = watcher.sleep_s() if watcher is not None else _LOOK_S
        gone = crew.ended(min(pause, standstill.wait_s()))
        for child in gone:
            if watcher is not None:
                watcher.ending(child)
            crew.reap(child)
        for child in gone:
            _judge(child, warnings)
            replacing.ended(child)
        replacing.look()
        stranded.look()
        standstill.look()
        halted.look(crew.children)
        leftovers.look(crew.children)
        rousing.look(crew.children)
        if watcher is not None:
            watcher.look()
        elif not gone and collected:
            for child in crew.children:
                child.trim_stderr()
    crew.warnings += standstill.warnings
    crew.disturbances = halted.warnings()
    return warnings + crew.disturbances + leftovers.warnings


def _judge(child: Child, warnings: list[str]) -> None:
    name = child.process.name
    if child.lost or child.status is None:
        raise RunError("its exit status is lost: SIGCHLD is ignored here", station=name)
    if os.WIFSIGNALED(child.status) and os.WTERMSIG(child.status) == signal.SIGINT:
        raise KeyboardInterrupt
    tail = child.error_tail()
    verdict = judge(child.process, child.status, tail)
    if verdict.failed:
        raise RunError(str(verdict.message), station=name, stderr=tail)
    if verdict.message:
        warnings.append(verdict.message)
    elif tail:
        warnings.append(f"station '{name}' wrote to its standard error: {tail.splitlines()[-1][:200]}")
