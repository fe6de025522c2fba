"""What relief of each station would bring: the elasticity of throughput, and of the 99th percentile, as bars."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from streamsim.analysis.bottleneck import Cause, Diagnosis
from streamsim.analysis.plots.inputs import Inputs
from streamsim.analysis.plots.style import EDGE, FAINT, WORLDS, panels, short, styled
from streamsim.analysis.wording import place_name
from streamsim.placement import are_cores

NAME = "elasticity"
TITLE = "What relief would bring"
CAPTION = (
    "By how many per cent throughput rises (and the 99th percentile of response times falls) for each per cent that a "
    "station needs less for its work; for the host: for each per cent more core. By theory. The longest bar is what "
    "holds the circuit back; where several are long, relief of one alone soon meets the next."
)
FEWEST = 0.005
GUILTY = "#D55E00"


def draw(inputs: Inputs) -> Figure | None:
    """Draw the diagnosis where there is one."""
    return draw_diagnosis(inputs.diagnosis) if inputs.diagnosis is not None else None


@styled
def draw_diagnosis(found: Diagnosis) -> Figure:
    """Draw one row a cause, the largest first; causes without any effect are left out."""
    causes = [cause for cause in found.causes if max(abs(cause.demand), abs(cause.p99_demand or 0.0)) >= FEWEST]
    causes = causes or list(found.causes[:1])
    both = any(cause.p99_demand is not None for cause in causes)
    what = "largest load" if found.basis == "largest load" else "throughput"
    figure, axes = panels(2 if both else 1, columns=2, row_height=0.5 + 0.34 * len(causes), share_x=False, extra=0.3)
    _bars(axes[0], causes, [cause.demand for cause in causes], f"{what}: % more for each % less demand")
    if both:
        _bars(axes[1], causes, [cause.p99_demand or 0.0 for cause in causes], "p99: % less for each % less demand")
        axes[1].tick_params(labelleft=False)
    return figure


def _bars(axes: Axes, causes: list[Cause], values: list[float], label: str) -> None:
    worst = max(range(len(values)), key=lambda place: values[place])
    colours = [GUILTY if place == worst else WORLDS["predicted"].colour for place in range(len(values))]
    axes.barh(range(len(values)), values, height=0.62, color=colours, edgecolor=EDGE, linewidth=0.6)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    for place, value in enumerate(values):
        axes.annotate(f"{value:.2f}", (max(value, 0.0), place), (6, 0), textcoords="offset points", va="center")
    names = [place_name(cause.station) if are_cores(cause.station) else short(cause.station) for cause in causes]
    axes.set_yticks(range(len(values)), names)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlim(min(0.0, *values) * 1.1, (max(*values, 0.1) if len(values) > 1 else max(values[0], 0.1)) * 1.2)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_title(label, fontsize=9.5)
