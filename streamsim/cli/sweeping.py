"""``sweep``: one scenario at many values of its keys, as a table, files and plots."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from streamsim.cli.failures import UsageError
from streamsim.cli.options import (
    Json,
    Output,
    ProfilePath,
    ScenarioPath,
    Shell,
    Workers,
    directory_of,
    profile_for,
    source_of,
    worker_count,
)
from streamsim.cli.output import example

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

    from rich.table import Table

    from streamsim.sweeping import Point, Sweep

_METRICS = ("records_per_s", "response_p99", "makespan")
_AGAINST = {"response_mean": "mean", "makespan": "makespan", "records_per_s": "throughput"}


@example(
    "streamsim sweep scenarios/poisson.toml --set sources.requests.rate=200:800:200",
    "streamsim sweep scenarios/top-words.toml --set host.cores=1,2,4,8 --world both",
    "streamsim sweep --shell 'zcat access.log.gz | sort | uniq -c' --set host.cores=1,2,4 --world predict",
    "streamsim sweep scenarios/poisson.toml --set host.cores=1,2 --executor tcp://10.0.0.1:8786",
)
def sweep(
    scenario: ScenarioPath = None,
    shell: Shell = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUES",
            help="The values of a key: 1,2,4 or first:last:step; may be repeated.",
            show_default=False,
        ),
    ] = None,
    world: Annotated[Literal["simulate", "predict", "both"], typer.Option("--world", help="Who answers.")] = "simulate",
    profile: ProfilePath = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Of all points alike.", show_default="the scenario's own"),
    ] = None,
    engine: Annotated[
        Literal["auto", "maxplus", "compiled", "simpy"] | None,
        typer.Option("--engine", help="Simulate record by record.", show_default="by chunks"),
    ] = None,
    executor: Annotated[
        str, typer.Option("--executor", metavar="WHO", help="local, or the address of a Dask scheduler.")
    ] = "local",
    workers: Workers = None,
    output: Output = None,
    json: Json = False,
) -> None:
    """Simulate or predict a scenario at every combination of some values; runs none of its commands.

    All points meet the same random numbers. Stopped and called again, it goes on where it was. Writes sweep.json,
    sweep.csv and a plot of throughput and of response times against the first key that varies.
    """
    from streamsim import sweeping
    from streamsim.cli.output import say
    from streamsim.cli.progress import ProgressLine
    from streamsim.files import to_json, write_pictures

    source = source_of(scenario, shell, "streamsim sweep scenarios/poisson.toml --set host.cores=1,2,4")
    sets = _sets(set_)
    scenarios = sweeping.variants(source, sets)
    directory = directory_of(scenarios[0], output)
    models = profile_for(scenarios[0], profile, output)
    worlds: tuple[sweeping.World, ...] = ("simulate", "predict") if world == "both" else (world,)
    with ProgressLine() as progress:
        found = sweeping.sweep(
            scenarios, lambda one: models, sets, worlds=worlds, seed=seed, engine=engine,
            executor=_executor(executor, worker_count(workers), len(scenarios)), directory=directory / "sweep",
            progress=progress,
        )  # fmt: skip
    files = sweeping.write_sweep(found, directory)
    files += write_pictures(directory, _plots(found), [f"sweep-{metric}" for metric in _METRICS])
    if json:
        say(to_json(found).decode(), end="")
    else:
        _print(found, files)
    failed = [point for point in found.points if point.errors]
    if failed:
        raise typer.Exit(1)


def _sets(texts: list[str] | None) -> dict[str, list[Any]]:
    from streamsim.sweeping import parse_values

    sets: dict[str, list[Any]] = {}
    for text in texts or ():
        path, values = parse_values(text)
        if path in sets:
            raise UsageError(f"--set {path} is there twice; give all its values in one, such as {path}=1,2")
        sets[path] = values
    if not any(len(values) > 1 for values in sets.values()):
        raise UsageError("nothing varies: give --set PATH=VALUES, such as host.cores=1,2,4")
    return sets


def _executor(who: str, workers: int, points: int) -> AbstractContextManager[Executor] | None:
    if who != "local":
        from streamsim.sweeping import cluster

        if "://" not in who:
            raise UsageError(f"--executor {who!r} is neither local nor an address such as tcp://10.0.0.1:8786")
        return cluster(who)
    if min(workers, points) < 2:
        return None
    from streamsim.models.statistics.workers import local_processes

    return local_processes(min(workers, points))


def _plots(found: Sweep) -> dict[str, bytes]:
    from streamsim.analysis.sweep_plots import Curve, plots
    from streamsim.sweeping import metrics

    axis, *others = found.parameters
    places, unit = axis_of(found.parameters[axis])
    groups: dict[str, list[Point]] = {}
    for point in found.points:
        label = ", ".join(f"{_short(path)} = {point.set[path]}" for path in others)
        groups.setdefault(label, []).append(point)
    curves: dict[str, list[Curve]] = {metric: [] for metric in _METRICS}
    for label, points in groups.items():
        for name in ("simulated", "predicted"):
            answers = [getattr(point, name) for point in points]
            if all(one is None for one in answers):
                continue
            at = [places[point.set[axis]] for point in points]
            for metric in _METRICS:
                estimates = [metrics(one)[metric] if one is not None else None for one in answers]
                curves[metric].append(Curve(label, name, at, estimates))
    drawn = plots(curves, f"{axis} ({unit})" if unit else axis)
    return {f"sweep-{metric}": picture for metric, picture in drawn.items()}


def axis_of(values: list[Any]) -> tuple[dict[Any, Any], str]:
    """Return where each value stands on an axis, and the unit of the axis.

    Those with a unit stand at their numbers where all have the same; others by what they are called, in order.

    >>> axis_of(["100 records/s", "200 records/s"])
    ({'100 records/s': 100.0, '200 records/s': 200.0}, 'records/s')
    >>> axis_of(["4 KiB", "1 MiB"]), axis_of([1, 2])
    (({'4 KiB': '4 KiB', '1 MiB': '1 MiB'}, ''), ({1: 1, 2: 2}, ''))
    """
    try:
        split = {value: value.split(" ", 1) for value in values}
        places = {value: float(number) for value, (number, _) in split.items()}
    except (AttributeError, ValueError):
        return {value: value for value in values}, ""
    units = {unit for _, unit in split.values()}
    return (places, units.pop()) if len(units) == 1 else ({value: value for value in values}, "")


def _short(path: str) -> str:
    """Return the last two parts of a path: what a table calls it."""
    return ".".join(path.split(".")[-2:])


def _print(found: Sweep, files: list[Path]) -> None:
    from streamsim.cli.output import say, show, warn

    show(_table(found), "")
    for point in found.points:
        for world, error in point.errors.items():
            say(f"{_name(found, point)}: {world}: {error}")
    say("\n".join(f"written: {file}" for file in files))
    warn(
        f"{_name(found, point)}: {one.world}: {warning}"
        for point in found.points
        for one in (point.simulated, point.predicted)
        if one
        for warning in one.warnings
    )


def _name(found: Sweep, point: Point) -> str:
    return ", ".join(f"{_short(path)} = {point.set[path]}" for path in found.parameters)


def _table(found: Sweep) -> Table:
    from streamsim.analysis.wording import NOTHING, format_estimate
    from streamsim.cli.tables import bottleneck, plain_table
    from streamsim.simulating import paired
    from streamsim.sweeping import metrics

    names = [_short(path) for path in found.parameters]
    heads = ("throughput", "response, mean", "99 % within", "makespan")
    first = found.points[0].values
    metric = next((name for name in ("response_mean", "makespan", "records_per_s") if name in first), None)
    against = f"{_AGAINST[metric]} against the first" if metric is not None else "against the first"
    right = range(len(names) + 1, len(names) + 2 + len(heads))
    table = plain_table(*names, "", *heads, against, "bottleneck", right=list(right))
    for point in found.points:
        for one in (point.simulated, point.predicted):
            if one is None:
                continue
            values = metrics(one)
            cells = [
                NOTHING if (value := values[name]) is None or value.value is None else format_estimate(value)
                for name in ("records_per_s", "response_mean", "response_p99", "makespan")
            ]
            change = NOTHING
            if one.world == "simulated" and metric is not None and point is not found.points[0]:
                change = _change(paired(point.values.get(metric, []), first[metric], ""), first[metric])
            table.add_row(
                *(str(point.set[path]) for path in found.parameters), one.world, *cells, change,
                bottleneck(one.circuit.bottleneck).split(",")[0],
            )  # fmt: skip
    return table


def _change(difference: Any, first: list[float]) -> str:
    """Return a paired difference relative to the mean of the first variant."""
    from streamsim.analysis.wording import format_percent

    mean = sum(first) / len(first)
    if difference.value is None or mean == 0:
        return "–"
    share = difference.value / mean
    half = 0.0 if difference.low is None else (difference.high - difference.low) / 2 / abs(mean)
    spread = f" ±{100 * half:.0f}" if abs(share) >= 1 else f" ±{100 * half:.1f}"
    return f"{format_percent(share).removesuffix(' %')}{spread if half else ''} %"
