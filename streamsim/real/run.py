"""Running a circuit as a shell would: no measuring, nothing between the processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from streamsim.places import check_runnable
from streamsim.real.control.conductor import conducting
from streamsim.real.control.recording import Recorded, by_server, recorded_in, write_recording
from streamsim.real.control.repeating import check_again, repeating
from streamsim.real.launch import launched
from streamsim.real.place import pin_set
from streamsim.real.plan import make_plan
from streamsim.real.starting import Setting
from streamsim.real.successors import prepared
from streamsim.real.supervise import supervise
from streamsim.scenario import Scenario


def run(
    scenario: Scenario,
    *,
    stdin: int = 0,
    stdout: int = 1,
    cores: int | None = None,
    record: Path | None = None,
    replay: tuple[Recorded, ...] | None = None,
    timed: bool = False,
    say: Callable[[str], None] | None = None,
) -> tuple[str, ...]:
    """Run the circuit once, from a descriptor to a descriptor where the scenario names no file.

    Returns warnings: pipes that were made larger, or could not be had as large as asked, and what controllers say.

    Parameters
    ----------
    stdin, stdout : descriptors for the input that no source names and for the ends that no sink takes; several
        such ends share the one.
    record : a file for the commands that changed its servers.
    replay : the commands of an earlier run, to be done again at the same bytes; the scenario's controllers rest then.
    timed : do also what is a matter of time (pauses, scale, niceness, cores, pipes), at its time after the start.
    say : told, while it runs, what it waits for where that is nothing of its own.
    cores : how many to pin the processes to; default: what the scenario says, or all where it asks for more.

    Raises
    ------
    ScenarioError : a file or a program is missing; nothing was started.
    ControlError : the recording has what cannot be done again in this circuit; nothing was started.
    RunError : a station failed, or could not be started; the rest was stopped.
    KeyboardInterrupt : Ctrl-C; all was stopped.
    """
    check_runnable(scenario.circuit, standard_input=True, file=scenario.file)
    plan = make_plan(scenario)
    again = replay or ()
    check_again(again, plan)
    late = tuple(command for command in again if command.timed)
    setting = Setting(
        stdin=stdin,
        stdout=stdout,
        collect=False,
        cpus=pin_set(cores or scenario.host.cores, strict=False),
        own_group=not _has_terminal(),
        say=say,
    )
    with (
        prepared(plan, again) as ready,
        launched(plan, replace(setting, replay=by_server(again, ready.commands), successors=ready.successors)) as crew,
        conducting(scenario, crew, rest=replay is not None) as conductor,
        repeating(crew, late if timed else (), start_s := time.monotonic()) as repeater,
    ):
        supervise(crew, collected=False)
        if record is not None:
            write_recording(record, recorded_in(crew.directory, start_s))
    said = [] if timed or not late else [_left_out(late)]
    return (*crew.warnings, *said, *(text for one in (conductor, repeater) if one is not None for text in one.warnings))


def _left_out(commands: tuple[Recorded, ...]) -> str:
    methods = ", ".join(sorted({command.method for command in commands}))
    return f"{len(commands)} recorded commands are a matter of time and were left out ({methods}); --timed does them"


def _has_terminal() -> bool:
    """Whether we are in the foreground of a terminal.

    Then the stations stay in our process group, as a shell has it: they may read the terminal, and Ctrl-C and
    Ctrl-Z reach them. A group of their own would be stopped as soon as it read the terminal (SIGTTIN).
    """
    with suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
