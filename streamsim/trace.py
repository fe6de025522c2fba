"""Traces: what a run left behind, in the same shape whether it was real or simulated.

All times are seconds since the run began; all curves are cumulative and start at (or before) the first sample.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ProfileError
from streamsim.files import write_whole
from streamsim.scenario import ScenarioKey
from streamsim.service import HostProfile

Array = NDArray[np.float64]

VISIT = np.dtype(
    [
        ("asked", "<f8"),  # s, when the server began to wait for input (a paced source: when it was due)
        ("got", "<f8"),  # s, when it had its chunk
        ("served", "<f8"),  # s, when its work was done
        ("sent", "<f8"),  # s, when the last byte of the answer was in the pipe
        ("cpu", "<f8"),  # core-seconds used between asked and sent
        ("taken", "<i8"),  # bytes
        ("given", "<i8"),  # bytes, to each output
        ("records_in", "<i8"),
        ("records_out", "<i8"),
    ]
)
"""One chunk at one server; a worker writes exactly this layout (see real/worker.py)."""

CURVES = (
    *("time_s", "bytes_in", "bytes_out", "cpu_s", "reads", "writes"),
    *("running_s", "runnable_s", "starved_s", "blocked_s", "waiting_s"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class StationTrace:
    """What one server of a station did in one run, or its several ``servers`` together (see pooling.py).

    Arrays have one entry a sample and never decrease. ``running_s + runnable_s + starved_s + blocked_s +
    waiting_s`` is the server's life up to that sample: each is wall time, so a tool of several threads has
    ``cpu_s`` above ``running_s``. ``bytes_in`` counts what came through its inputs (pipes or feeds),
    ``bytes_out`` what went to each of its outputs; temporary files count nowhere. ``reads`` and ``writes`` are
    system calls. ``rejected`` counts the records that an operator left out since it could not work on them (None: it
    keeps no count), ``rejection`` says why the first. ``bites``, shape (n, 2): bytes taken and core-seconds used
    between two looks less than a millisecond apart that both found a tool asleep for want of input (None: nobody
    looked so).
    """

    name: str
    started_s: float
    ended_s: float
    time_s: Array
    bytes_in: Array
    bytes_out: Array
    cpu_s: Array
    running_s: Array
    runnable_s: Array
    starved_s: Array
    blocked_s: Array
    waiting_s: Array
    reads: Array
    writes: Array
    bites: Array | None = None
    threads: float = 1.0
    records_in: int | None = None
    records_out: int | None = None
    visits: NDArray[np.void] | None = None
    operator: bool = False
    rejected: int | None = None
    rejection: str = ""
    servers: int = 1
    course: tuple[tuple[float, ...], ...] = ()
    """What its operator noted along the stream, a row a time (operators/base.py)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PipeTrace:
    """The level of one pipe over time, sampled."""

    label: str
    capacity_bytes: int
    time_s: Array
    level_bytes: Array


class Done(msgspec.Struct, frozen=True):
    """A command that a controller gave: when (s since the start), who, to which station, which parameters."""

    time_s: float
    controller: str
    station: str
    parameters: dict[str, Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class RunTrace:
    """One repetition. ``commands`` are what its controllers did.

    ``busy_cores`` at ``busy_time_s``: how many of the host's cores this run and others kept busy, a mean over the
    interval before each time.
    """

    makespan_s: float
    stations: dict[str, StationTrace]
    pipes: dict[str, PipeTrace]
    host: HostProfile
    background_cores: float = 0.0
    busy_time_s: Array = field(default_factory=lambda: np.zeros(0))
    busy_cores: Array = field(default_factory=lambda: np.zeros(0))
    warnings: tuple[str, ...] = ()
    commands: tuple[Done, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Trace:
    """All repetitions of one scenario in one world."""

    world: Literal["measured", "simulated"]
    engine: str
    scenario: ScenarioKey
    runs: tuple[RunTrace, ...]
    warnings: tuple[str, ...] = ()


_SCALARS = (
    "started_s",
    "ended_s",
    "threads",
    "records_in",
    "records_out",
    "operator",
    "rejected",
    "rejection",
    "servers",
    "course",
)

_OPTIONAL = ("visits", "bites")


def write_trace(trace: Trace, path: str | Path) -> None:
    """Write a trace as one compressed ``.npz``: the arrays, and everything else as JSON beside them."""
    arrays: dict[str, NDArray[Any]] = {}
    runs = []
    for number, run in enumerate(trace.runs):
        stations = {}
        for name, station in run.stations.items():
            key = f"{number}/station/{name}"
            arrays |= {f"{key}/{curve}": getattr(station, curve) for curve in CURVES}
            arrays |= {f"{key}/{kind}": kept for kind in _OPTIONAL if (kept := getattr(station, kind)) is not None}
            stations[name] = {field: getattr(station, field) for field in _SCALARS}
        pipes = {}
        for label, pipe in run.pipes.items():
            arrays[f"{number}/pipe/{label}/time_s"] = pipe.time_s
            arrays[f"{number}/pipe/{label}/level_bytes"] = pipe.level_bytes
            pipes[label] = pipe.capacity_bytes
        arrays[f"{number}/busy_time_s"] = run.busy_time_s
        arrays[f"{number}/busy_cores"] = run.busy_cores
        runs.append(
            {
                "makespan_s": run.makespan_s,
                "stations": stations,
                "pipes": pipes,
                "host": run.host,
                "background_cores": run.background_cores,
                "warnings": run.warnings,
                "commands": run.commands,
            }
        )
    head = {"schema": "streamsim.trace/1", "world": trace.world, "engine": trace.engine,
            "scenario": trace.scenario, "runs": runs, "warnings": trace.warnings}  # fmt: skip
    arrays["head"] = np.frombuffer(msgspec.json.encode(head), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # numpy's stub names its flag among **kwds
    write_whole(path, buffer.getvalue())


def read_trace(path: str | Path) -> Trace:
    """Read what `write_trace` wrote; raises ProfileError naming the file and what is wrong with it."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        head = msgspec.json.decode(arrays["head"].tobytes())
        if head["schema"] != "streamsim.trace/1":
            raise ProfileError(f"{path}: its schema is {head['schema']!r}, this version reads 'streamsim.trace/1'")
        runs = tuple(_read_run(number, run, arrays) for number, run in enumerate(head["runs"]))
        return Trace(world=head["world"], engine=head["engine"], runs=runs, warnings=tuple(head["warnings"]),
                     scenario=msgspec.convert(head["scenario"], ScenarioKey))  # fmt: skip
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror or error}; streamsim measure writes a trace") from None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        why = "" if "pickle" in str(error) else f" ({error})"  # numpy's advice on pickles is none for our users
        raise ProfileError(f"{path}: not a trace{why}; streamsim measure writes trace.npz") from None


def _read_run(number: int, run: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> RunTrace:
    stations = {}
    for name, scalars in run["stations"].items():
        key = f"{number}/station/{name}"
        curves: dict[str, Any] = {curve: arrays[f"{key}/{curve}"] for curve in CURVES}
        optional: dict[str, Any] = {kind: arrays.get(f"{key}/{kind}") for kind in _OPTIONAL}
        stations[name] = StationTrace(name=name, **curves, **optional, **scalars)
    pipes = {
        label: PipeTrace(
            label=label,
            capacity_bytes=capacity,
            time_s=arrays[f"{number}/pipe/{label}/time_s"],
            level_bytes=arrays[f"{number}/pipe/{label}/level_bytes"],
        )
        for label, capacity in run["pipes"].items()
    }
    return RunTrace(
        makespan_s=run["makespan_s"],
        stations=stations,
        pipes=pipes,
        host=msgspec.convert(run["host"], HostProfile),
        background_cores=run["background_cores"],
        busy_time_s=arrays[f"{number}/busy_time_s"],
        busy_cores=arrays[f"{number}/busy_cores"],
        warnings=tuple(run["warnings"]),
        commands=msgspec.convert(run.get("commands", ()), tuple[Done, ...]),
    )
