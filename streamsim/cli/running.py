"""``check`` and ``run``: look at a circuit without running anything, and run it as a plain pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsim.cli.failures import UsageError, one_line
from streamsim.cli.options import ScenarioPath, Set, Shell, one_scenario
from streamsim.cli.output import example

if TYPE_CHECKING:
    from rich.table import Table

    from streamsim.circuit import Circuit, Station
    from streamsim.scenario import Load, Scenario


@example(
    "streamsim check scenarios/top-words.toml",
    "streamsim check --shell 'comm -12 <(sort a) <(sort b)'",
)
def check(scenario: ScenarioPath = None, shell: Shell = None, set_: Set = None) -> None:
    """Check a scenario, its files and its programs, and show the circuit; runs none of its commands."""
    from rich.text import Text

    from streamsim.cli.output import say, show, warn
    from streamsim.places import check_runnable
    from streamsim.real.pipes import try_pipes
    from streamsim.real.plan import make_plan

    loaded = one_scenario(scenario, shell, set_)
    show(Text(f"{loaded.name}: {one_line(loaded.title)}" if loaded.title else loaded.name), _stations(loaded.circuit))
    say("\n".join(_facts(loaded)))
    warn(_dangers(loaded))
    check_runnable(loaded.circuit, standard_input=True, file=loaded.file)
    warn(try_pipes(make_plan(loaded)))
    if any(feed.file == "-" for feed in loaded.circuit.feeds):
        say("ok for streamsim run; to measure it, give it a source: standard input cannot be read twice")
    else:
        say("ok")


@example(
    "streamsim run scenarios/top-words.toml > words.txt",
    "streamsim run scenarios/top-words.toml | head -n 3",
    "cat names.txt | streamsim run --shell 'cat | sort | uniq -c'",
    "streamsim run scenarios/shed-load.toml --record commands.jsonl",
)
def run(
    scenario: ScenarioPath = None,
    shell: Shell = None,
    set_: Set = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", help="Write down what changes its stations.", show_default=False),
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option("--replay", metavar="FILE", help="Do again what was recorded.", show_default=False),
    ] = None,
    timed: Annotated[
        bool,
        typer.Option("--timed", help="With --replay: pauses, scale, niceness, cores and pipes too, at their times."),
    ] = False,
) -> None:
    """Run a scenario once as a plain pipeline, from standard input to standard output.

    What its controllers, or you by streamsim ctl, change while it runs can be recorded; replayed, it takes effect
    at the same bytes of the input, so that the output is the same. What has no place in the data (pauses, scale,
    niceness, cores, the size of pipes) is done again only with --timed.
    """
    from streamsim.cli.output import note, warn
    from streamsim.files import why_unwritable
    from streamsim.real.control.recording import read_recording
    from streamsim.real.run import run as run_for_real

    loaded = one_scenario(scenario, shell, set_)
    if timed and replay is None:
        raise UsageError("--timed is for --replay FILE: it says when that is done")
    if record is not None and (why := why_unwritable(record)):
        raise UsageError(f"--record {record}: {why}")
    again = read_recording(replay) if replay is not None else None
    warn(run_for_real(loaded, record=record, replay=again, timed=timed, say=note))


def _stations(circuit: Circuit) -> Table:
    from rich.text import Text

    from streamsim.cli.tables import plain_table
    from streamsim.units import format_bytes

    table = plain_table("station", "reads", "through", "runs", "")
    for name in circuit.order():
        station = circuit.station(name)
        reads = [feed.name if feed.file != "-" else "standard input" for feed in circuit.feed_of(name)]
        pipes = circuit.inputs_of(name)
        reads += [pipe.upstream for pipe in pipes]
        held = ["the same process" if station.fuse else format_bytes(pipe.capacity_bytes) for pipe in pipes]
        through = ["file"] * (len(reads) - len(pipes)) + held
        table.add_row(name, ", ".join(reads), ", ".join(through), Text(one_line(_runs(station))), _kind(station))
    return table


def _runs(station: Station) -> str:
    if station.command is not None:
        return station.command
    if station.role == "convert":
        return f"convert to {_format(station.parameters['to'])}"
    return " ".join([station.program, *(f"{key}={_short(value)}" for key, value in station.parameters.items())])


def _short(value: Any) -> str:
    if isinstance(value, list) and len(value) > 3:
        return f"[{len(value)} of them, {value[0]!r} first]"
    return repr(value)


def _kind(station: Station) -> str:
    if station.role != "station":
        return station.role
    if station.operator is None:
        return "command"
    from streamsim import operators

    return "operator, barrier" if operators.find(station.operator).traits.barrier else "operator"


def _dangers(scenario: Scenario) -> list[str]:
    """Return where the circuit can stand still or never end, where servers give several answers, odd pins and files."""
    from streamsim.deadlocks import risks
    from streamsim.endless import endless_loops
    from streamsim.packed import packed_files
    from streamsim.placement import beyond
    from streamsim.sharing import partial_answers
    from streamsim.units import format_bytes

    growth = scenario.host.pipe_growth_bytes
    ending = (
        f"a run makes its pipes larger then, by {format_bytes(growth)} at most (host.pipe_growth)"
        if growth
        else "host.pipe_growth = 0 lets no pipe grow"
    )
    return (
        [f"{risk}; {ending}" for risk in risks(scenario)]
        + partial_answers(scenario.circuit)
        + endless_loops(scenario.circuit)
        + beyond(scenario.circuit, scenario.host.cores)
        + [one_line(text) for text in packed_files(scenario.circuit)]
    )


def _facts(scenario: Scenario) -> list[str]:
    """Return what follows from the shape, and the load, a line each."""
    from streamsim.insertion import way_round
    from streamsim.units import format_bytes

    circuit = scenario.circuit
    lines = [
        f"{what}: {', '.join(names)}"
        for what, names in (
            ("splits", circuit.splits()),
            ("joins", circuit.joins()),
            ("all bytes pass", circuit.cut_points()),
        )
        if names
    ]
    for loop in circuit.loops():
        lines.append(f"loop: {way_round(circuit, loop)}; it ends when nothing comes from outside and all has come out")
    for station in circuit.stations:
        if station.parallelism > 1:
            lines.append(f"servers {station.name}: {station.parallelism}, {_sharing(station, circuit)}")
        if station.role == "convert":
            lines.append(f"converted: {station.inputs[0]} writes {_format(station.format)}, {_converted(station)}")
        if station.dead_letter is not None:
            lines.append(f"dead letters {station.name}: {one_line(station.dead_letter)}")
    for feed in circuit.feeds:
        lines.append(f"feed {feed.name}: {'standard input' if feed.file == '-' else one_line(feed.file)}")
    for name, load in scenario.loads.items():
        size = f", {format_bytes(scenario.source_bytes[name])}" if name in scenario.source_bytes else ""
        lines.append(f"load {name}: {describe_load(load)}{size}")
    for sink in circuit.sinks:
        lines.append(f"sink {sink.name}: {sink.input} into {one_line(sink.file) if sink.file else 'nowhere'}")
    cores = scenario.host.cores
    return [*lines, f"host: {cores} core{'s' if cores != 1 else ''}"]


def _sharing(station: Station, circuit: Circuit) -> str:
    ways = station.partition
    way = ways if isinstance(ways, str) else ", ".join(f"{name} by {one}" for name, one in ways.items())
    merge = circuit.station(f"{station.name}.merge")
    order = " in the order of their batches" if merge.batches else ""
    return f"records shared out by {way}, put together by {merge.program}{order}"


def _format(format: str | dict[str, Any]) -> str:
    """Return a format as people read it.

    >>> _format({"name": "rows", "width": None, "columns": ["i8", "f8"]})
    'rows (columns i8 f8)'
    """
    from streamsim.formats import normal_format

    found = normal_format(format)
    shown = {key: " ".join(value) if isinstance(value, list | tuple) else value for key, value in found.items()}
    options = [f"{key} {value}" for key, value in shown.items() if key != "name" and value]
    return f"{found['name']} ({', '.join(options)})" if options else str(found["name"])


def _converted(station: Station) -> str:
    return f"{station.name.partition('.')[0]} reads {_format(station.parameters['to'])}"


def describe_load(load: Load) -> str:
    """Return how records arrive, for people.

    >>> from streamsim.scenario import Load
    >>> describe_load(Load()), describe_load(Load(records=10))
    ('as fast as taken', 'as fast as taken, 10 records')
    """
    from streamsim.units import format_rate, format_seconds

    if load.arrivals == "trace":
        words = [f"at the times of {load.times}"]
    elif load.in_flight is not None:
        words = [f"{load.in_flight} in flight: the next enters when one has left"]
    elif load.rate is None:
        words = ["as fast as taken"]
    else:
        words = [f"{format_rate(*load.rate)}, {load.arrivals}"]
        if load.arrivals == "bursty":
            words[0] += f" (scv {load.scv:g})"
        if load.states:
            words[0] += f" ({len(load.states)} states)"
    if load.records is not None:
        words.append(f"{load.records} records")
    if load.duration_s is not None:
        words.append(f"for {format_seconds(load.duration_s)}")
    return ", ".join(words)
