"""What plots and reports are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamsim.analysis.bottleneck import Diagnosis
from streamsim.analysis.compare import Comparison
from streamsim.analysis.curves import Knee, Scaling
from streamsim.circuit import Circuit
from streamsim.result import Result
from streamsim.scenario import Load
from streamsim.service import Profile
from streamsim.trace import RunTrace, Trace


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything known of one scenario; what is None was not asked for, and plots that need it leave themselves out.

    ``loads`` are those of the scenario's sources; response times exist only where one of them is open.
    """

    circuit: Circuit
    title: str = ""
    loads: Mapping[str, Load] = field(default_factory=dict)
    measured_trace: Trace | None = None
    measured: Result | None = None
    simulated_trace: Trace | None = None
    simulated: Result | None = None
    predicted: Result | None = None
    profile: Profile | None = None
    comparison: Comparison | None = None
    diagnosis: Diagnosis | None = None
    knee: Knee | None = None
    scaling: Scaling | None = None

    def results(self) -> dict[str, Result]:
        """Return the results that exist, by world, measured first."""
        found = {"measured": self.measured, "simulated": self.simulated, "predicted": self.predicted}
        return {world: result for world, result in found.items() if result is not None}

    def traces(self) -> dict[str, Trace]:
        """Return the traces that exist and hold a run, by world, measured first."""
        found = {"measured": self.measured_trace, "simulated": self.simulated_trace}
        return {world: trace for world, trace in found.items() if trace is not None and trace.runs}

    def typical_runs(self) -> dict[str, RunTrace]:
        """Return for each world that left traces the repetition whose makespan is the median (the lower of two)."""
        return {
            world: sorted(trace.runs, key=lambda run: run.makespan_s)[(len(trace.runs) - 1) // 2]
            for world, trace in self.traces().items()
        }
