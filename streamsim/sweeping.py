"""Sweeps: one scenario at many values of its keys, on all cores or a cluster; what was answered is not asked again."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from streamsim import __version__
from streamsim.errors import ModelError, ProfileError, ScenarioError
from streamsim.files import from_json, to_json, write_whole
from streamsim.loading import load, parse_override
from streamsim.result import Estimate, Result
from streamsim.scenario import Scenario, ScenarioKey
from streamsim.service import Profile
from streamsim.simulating import simulate_with_values
from streamsim.verbs import predict

SCHEMA = "streamsim.sweep/1"
World = Literal["simulate", "predict"]
WORLD_NAMES = {"simulate": "simulated", "predict": "predicted"}
MOST_POINTS = 10_000
"""Points of one sweep: more is a slip of the keyboard, such as a step of 0.001 for one of 1000."""
PATIENCE_S = 10.0
"""A scheduler that has not answered by then is not there."""

_RANGE = re.compile(r"\s*([-+\d.eE]+):([-+\d.eE]+):([-+\d.eE]+)(\s*[^\d\s].*)?")


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One variant: what was set, and the answer of each world; ``values`` are those of each replication, by metric.

    ``errors`` says of a world why it has no answer.
    """

    set: dict[str, Any]
    simulated: Result | None = None
    predicted: Result | None = None
    values: dict[str, list[float]] = msgspec.field(default_factory=dict)
    errors: dict[str, str] = msgspec.field(default_factory=dict)


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """All points of a sweep; ``parameters`` are the paths that vary, with their values in order."""

    schema: str = SCHEMA
    scenario: ScenarioKey
    parameters: dict[str, list[Any]]
    points: list[Point]


def parse_values(text: str) -> tuple[str, list[Any]]:
    """Split ``path=1,2,4`` or ``path=first:last:step`` (with a unit behind it, if need be) into path and values.

    Raises ScenarioError where it is neither, or a range that does not end.

    >>> parse_values("stations.x.parallelism=1,2,4")
    ('stations.x.parallelism', [1, 2, 4])
    >>> parse_values("sources.s.rate=100:300:100 records/s")
    ('sources.s.rate', ['100 records/s', '200 records/s', '300 records/s'])
    """
    path, _, value = text.partition("=")
    found = _RANGE.fullmatch(value)
    if found is not None:
        return parse_override(text)[0], _range(text, *found.groups())
    return parse_override(text)[0], [parse_override(f"{path}={part}")[1] for part in _split(value)]


def _range(text: str, first: str, last: str, step: str, unit: str | None) -> list[Any]:
    try:
        begin, end, by = float(first), float(last), float(step)
        count = math.floor((end - begin) / by * (1 + 1e-12)) + 1
    except (ValueError, ZeroDivisionError, OverflowError):
        count = 0
    if not 0 < count <= MOST_POINTS:
        raise ScenarioError(f"--set {text!r} is no range first:last:step of 1 to {MOST_POINTS} values")
    whole = all(number.lstrip("+-").isdigit() for number in (first, step))
    values = [begin + by * number for number in range(count)]
    if unit is not None:
        return [f"{value:.12g}{unit}" for value in values]
    return [int(value) if whole else float(f"{value:.12g}") for value in values]


def _split(value: str) -> Iterator[str]:
    """Yield what stands between commas that are in no bracket and in no quotes."""
    part, depth, quote = "", 0, ""
    for sign in value:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        depth += (sign in "[{(") - (sign in "]})") if not quote else 0
        if sign == "," and depth == 0 and not quote:
            yield part
            part = ""
        else:
            part += sign
    yield part


def variants(source: str | Path | dict[str, Any], sets: Mapping[str, Sequence[Any]]) -> list[Scenario]:
    """Load the scenario with every combination of values, so that all are checked before the first runs.

    Raises ScenarioError for the first that is wrong, or where there are too many.
    """
    total = math.prod(len(values) for values in sets.values())
    if total > MOST_POINTS:
        raise ScenarioError(f"{total} points are more than a sweep has ({MOST_POINTS})")
    combinations = itertools.product(*sets.values())
    return [load(source, overrides=dict(zip(sets, values, strict=True))) for values in combinations]


def sweep(
    scenarios: Sequence[Scenario],
    profile_of: Callable[[Scenario], Profile],
    sets: Mapping[str, Sequence[Any]],
    *,
    worlds: Sequence[World] = ("simulate",),
    seed: int | None = None,
    engine: str | None = None,
    executor: AbstractContextManager[Executor] | None = None,
    directory: Path | None = None,
    progress: Callable[[float, float, str], None] | None = None,
) -> Sweep:
    """Answer every variant; all meet the same random numbers.

    Parameters
    ----------
    scenarios : the variants (`variants`), in order.
    profile_of : the service models of a variant.
    executor : who works; None: this process. `local_processes` and `cluster` make such.
    directory : where the answer of each point is kept as soon as it is there; a point whose file is there already, of
        the same scenario, models, seed and version, is not run again.

    A variant that cannot be answered says so in its ``errors``; the others go on.
    """
    varying = {path: list(values) for path, values in sets.items() if len(values) > 1}
    found: dict[int, Point] = {}
    jobs: dict[int, tuple[Any, ...]] = {}
    for number, scenario in enumerate(scenarios):
        profile = profile_of(scenario)
        file = None if directory is None else directory / f"{_key(scenario, profile, worlds, seed, engine)}.json"
        kept = None if file is None else _kept(file)
        if kept is not None:
            found[number] = kept
        else:
            jobs[number] = (file, scenario, profile, tuple(worlds), seed, engine)
    total = len(scenarios)
    for number, file, point in _answers(jobs, executor, lambda: _tell(progress, len(found), total)):
        if file is not None and not point.errors:
            write_whole(file, msgspec.json.encode(point))
        found[number] = point
    _tell(progress, total, total)
    key = scenarios[0].key
    return Sweep(
        scenario=msgspec.structs.replace(key, overrides={}),
        parameters=varying,
        points=[found[number] for number in range(total)],
    )


def _tell(progress: Callable[[float, float, str], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total, f"{done} of {total} points")


def _answers(
    jobs: Mapping[int, tuple[Any, ...]],
    executor: AbstractContextManager[Executor] | None,
    started: Callable[[], None],
) -> Iterator[tuple[int, Path | None, Point]]:
    started()
    if executor is None or not jobs:
        for number, (file, *job) in jobs.items():
            yield number, file, answer_point(*job)
            started()
        return
    with executor as pool:
        futures: dict[Future[Point], int] = {pool.submit(answer_point, *jobs[k][1:]): k for k in jobs}
        for future in as_completed(futures):
            number = futures[future]
            yield number, jobs[number][0], future.result()
            started()


def answer_point(
    scenario: Scenario, profile: Profile, worlds: tuple[World, ...], seed: int | None, engine: str | None
) -> Point:
    """Answer one variant in each of the worlds."""
    simulated = predicted = None
    values: dict[str, list[float]] = {}
    errors: dict[str, str] = {}
    for world in worlds:
        try:
            if world == "simulate":
                simulated, values = simulate_with_values(scenario, profile, seed=seed, engine=engine)
            else:
                predicted = predict(scenario, profile)
        except (ModelError, ProfileError) as error:
            errors[world] = str(error)
    return Point(set=scenario.overrides, simulated=simulated, predicted=predicted, values=values, errors=errors)


def _key(scenario: Scenario, profile: Profile, worlds: Sequence[World], seed: int | None, engine: str | None) -> str:
    """Return what a point's file is called: the same only where the same answer would come out again."""
    content = [__version__, scenario.digest, scenario.overrides, profile, sorted(worlds), seed, engine]
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:20]


def _kept(file: Path) -> Point | None:
    try:
        kept: Point = from_json(file.read_bytes(), Point)
    except (OSError, msgspec.DecodeError):
        return None
    return kept


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """Give the workers of a Dask cluster as an executor.

    Raises ModelError where `distributed` is not installed or nobody answers at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ModelError("a cluster needs dask.distributed: pip install 'streamsim[cluster]'") from None
    try:
        client = Client(address, timeout=PATIENCE_S)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise ModelError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        executor = client.get_executor(pure=False)  # type: ignore[no-untyped-call]
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)


def metrics(result: Result) -> dict[str, Estimate | None]:
    """Return the numbers of one answer that a sweep compares."""
    circuit = result.circuit
    times = circuit.response_time
    found: dict[str, Estimate | None] = {"records_per_s": circuit.records_per_s, "bytes_per_s": circuit.bytes_per_s}
    found["makespan"] = circuit.makespan
    for name in ("mean", "p50", "p95", "p99"):
        found[f"response_{name}"] = getattr(times, name) if times is not None else None
    return found


def to_csv(found: Sweep) -> str:
    """Return a sweep as CSV: a row for each point and world, every estimate with its interval."""
    names = ("records_per_s", "bytes_per_s", "makespan", *(f"response_{one}" for one in ("mean", "p50", "p95", "p99")))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    writer.writerow([*found.parameters, "world", *heads, "bottleneck", "saturated", "error"])
    for point in found.points:
        settings = [point.set.get(path) for path in found.parameters]
        answers = [one for one in (point.simulated, point.predicted) if one is not None]
        for world, error in point.errors.items():
            writer.writerow([*settings, WORLD_NAMES[world], *([""] * len(heads)), "", "", error])
        for one in answers:
            values = metrics(one)
            cells = [
                "" if values[name] is None or getattr(values[name], part) is None else repr(getattr(values[name], part))
                for name in names
                for part in ("value", "low", "high")
            ]
            worst = one.circuit.bottleneck.station if one.circuit.bottleneck is not None else ""
            writer.writerow([*settings, one.world, *cells, worst, one.saturated, ""])
    return text.getvalue()


def write_sweep(found: Sweep, directory: Path) -> list[Path]:
    """Write ``sweep.json`` and ``sweep.csv``."""
    return [
        write_whole(directory / "sweep.json", to_json(found)),
        write_whole(directory / "sweep.csv", to_csv(found)),
    ]
