"""Traces: what a run left behind, in the same shape whether it was real or simulated.

All times are seconds since the run began; all curves are cumulative and start at (or before) the first sample.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ProfileError
from streamsim.files import read_within, write_whole
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
"""One chunk at one server; a worker writes exactly this layout (see real/worker/main.py)."""

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


class _Scalars(msgspec.Struct, frozen=True, kw_only=True):
    """What of a station's trace is no array, as the JSON beside the arrays holds it."""

    started_s: float
    ended_s: float
    threads: float = 1.0
    records_in: int | None = None
    records_out: int | None = None
    operator: bool = False
    rejected: int | None = None
    rejection: str = ""
    servers: int = 1
    course: tuple[tuple[float, ...], ...] = ()


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
            stations[name] = {field: getattr(station, field) for field in _Scalars.__struct_fields__}
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


_LARGEST_PACKED, _LARGEST = 1 << 30, 4 << 30
"""Bytes of a trace, and of what is packed in it: more would fill the memory, all that some archives are for."""

_UNREADABLE = (
    *(ValueError, KeyError, TypeError, AttributeError, EOFError, OverflowError, MemoryError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, struct.error, msgspec.MsgspecError),
)
"""What numpy, zipfile and msgspec raise for archives that are cut, spoilt, encrypted or somebody else's."""


def _unpacked(packed: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive, which is looked at before anything is unpacked."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        if (size := sum(entry.file_size for entry in archive.infolist())) > _LARGEST:
            raise ValueError(f"it unpacks to {size / 2**30:.1f} GiB, more than the {_LARGEST >> 30} GiB of any trace")
    with np.load(io.BytesIO(packed), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def read_trace(path: str | Path) -> Trace:
    """Read what `write_trace` wrote; raises ProfileError naming the file and what is wrong with it."""
    try:
        arrays = _unpacked(read_within(path, _LARGEST_PACKED))
        head = msgspec.json.decode(arrays["head"].tobytes())
        if head["schema"] != "streamsim.trace/1":
            raise ProfileError(f"{path}: its schema is {head['schema']!r}, this version reads 'streamsim.trace/1'")
        runs = tuple(_read_run(number, run, arrays) for number, run in enumerate(head["runs"]))
        return Trace(world=head["world"], engine=head["engine"], runs=runs, warnings=tuple(head["warnings"]),
                     scenario=msgspec.convert(head["scenario"], ScenarioKey))  # fmt: skip
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror or error}; streamsim measure writes a trace") from None
    except _UNREADABLE as error:
        why = "" if "pickle" in str(error) else f" ({error})"  # numpy's advice on pickles is none for our users
        raise ProfileError(f"{path}: not a trace{why}; streamsim measure writes trace.npz") from None


def _read_run(number: int, run: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> RunTrace:
    stations = {}
    for name, scalars in run["stations"].items():
        key = f"{number}/station/{name}"
        curves: dict[str, Any] = _together(arrays, [f"{key}/{curve}" for curve in CURVES])
        optional: dict[str, Any] = {kind: arrays.get(f"{key}/{kind}") for kind in _OPTIONAL}
        if (visits := optional["visits"]) is not None and (visits.dtype != VISIT or visits.ndim != 1):
            raise ValueError(f"{key}/visits: not visits, but {visits.dtype}")
        known = msgspec.structs.asdict(msgspec.convert(scalars, _Scalars))
        stations[name] = StationTrace(name=name, **curves, **optional, **known)
    pipes = {
        label: PipeTrace(
            label=label,
            capacity_bytes=msgspec.convert(capacity, int),
            **_together(arrays, [f"{number}/pipe/{label}/{part}" for part in ("time_s", "level_bytes")], least=0),
        )
        for label, capacity in run["pipes"].items()
    }
    return RunTrace(
        makespan_s=msgspec.convert(run["makespan_s"], float),
        stations=stations,
        pipes=pipes,
        host=msgspec.convert(run["host"], HostProfile),
        background_cores=msgspec.convert(run["background_cores"], float),
        **_together(arrays, [f"{number}/busy_time_s", f"{number}/busy_cores"], least=0),
        warnings=tuple(run["warnings"]),
        commands=msgspec.convert(run.get("commands", ()), tuple[Done, ...]),
    )


def _together(arrays: dict[str, NDArray[Any]], names: list[str], *, least: int = 1) -> dict[str, Array]:
    """Return the arrays of these names by the last part of each; they have one entry a sample, so as many each."""
    for name in names:
        kept = arrays[name]
        if kept.dtype.kind not in "iuf" or kept.ndim != 1 or not np.isfinite(kept).all():
            raise ValueError(f"{name}: not a row of finite numbers")
        if len(kept) != len(arrays[names[0]]) or len(kept) < least:
            raise ValueError(f"{name}: {len(kept)} samples beside {len(arrays[names[0]])}")
    return {name.rpartition("/")[2]: arrays[name] for name in names}
