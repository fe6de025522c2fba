"""``simulate --over``: how a scenario gets to its steady state, or follows a step in its load, against time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from streamsim.errors import ModelError, nearest
from streamsim.joining import merged
from streamsim.result import Result, Transient
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile
from streamsim.units import format_seconds, parse_seconds
from streamsim.verbs import Progress, find_profile

if TYPE_CHECKING:
    from streamsim.models.records.table import Command


def transient_of(
    scenario: Scenario,
    over_s: float,
    profile: Profile | None = None,
    *,
    steps: Sequence[str] = (),
    host: HostProfile | None = None,
    seed: int | None = None,
    engine: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Transient:
    """Simulate a scenario record by record from empty, again and again; return means against time with their bands.

    Parameters
    ----------
    over_s : how long records come (s).
    steps : changes of load on the way, ``"SOURCE=FACTOR@TIME"``: ``"requests=1.5@30 s"`` is half as much again.
    engine, workers : as of `simulating.simulate_result`.

    Raises ProfileError where nothing is known of a station, ModelError where a scenario or a step cannot be simulated.
    """
    from streamsim.models.records.compiling import compile_table
    from streamsim.models.records.transient import transient

    compiled = compile_table(scenario, profile if profile is not None else find_profile(scenario), host)
    targets = dict(zip(scenario.loads, merged(scenario).loads, strict=True))
    commands, words = [], []
    for text in steps:
        command, said = _step(text, list(scenario.loads))
        commands.append(replace(command, target=targets[command.target]))
        words.append(said)
    return transient(
        compiled.table,
        over_s=over_s,
        commands=commands,
        steps=tuple(words),
        replications=scenario.simulate.replications,
        seed=scenario.simulate.seed if seed is None else seed,
        engine=engine or "auto",
        workers=workers,
        progress=None if progress is None else lambda done, total: progress(done, total, "simulating"),
    )


def picture(scenario: Scenario, simulated: Result) -> bytes:
    """Return the curves of a result against time as SVG; the result must have some."""
    from streamsim.analysis import plots

    inputs = plots.Inputs(circuit=scenario.circuit, loads=scenario.loads, simulated=simulated)
    return plots.draw_all(inputs, only=("transient",))["transient"]


def _step(text: str, sources: list[str]) -> tuple[Command, str]:
    """Return what a step asks for, and how to say it.

    >>> _step("requests=1.5@30 s", ["requests"])[1]
    'requests × 1.5 from 30 s on'
    >>> _step("request=1.5@30 s", ["requests"])
    Traceback (most recent call last):
    streamsim.errors.ModelError: step 'request=1.5@30 s': there is no source 'request'; did you mean 'requests'?
    """
    from streamsim.models.records.table import Command

    name, _, rest = text.rpartition("=")
    factor, at, time = rest.partition("@")
    try:
        number, time_s = float(factor), parse_seconds(time)
    except ValueError as error:
        raise ModelError(f"step {text!r}: {error}; write SOURCE=FACTOR@TIME, such as requests=1.5@30s") from None
    if not at or not 0.0 < number < float("inf"):
        raise ModelError(f"step {text!r}: write SOURCE=FACTOR@TIME with a factor above 0, such as requests=1.5@30s")
    if name not in sources:
        raise ModelError(f"step {text!r}: there is no source {name!r}{nearest(name, sources)}")
    command = Command(time_s=time_s, target=name, parameter="gaps", value=1.0 / number)
    return command, f"{name} × {number:g} from {format_seconds(time_s)} on"
