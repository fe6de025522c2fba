"""Run, simulate and predict circuits of streaming operators, and hold the predictions against the run.

The public names load on first use, so that ``import streamsim`` costs nothing:

- `load`: a scenario from a TOML file or a mapping.
- `measure`, `simulate`, `predict`: a scenario in one of the worlds.
- `simulate_result`: the same simulation as an answer with intervals, by chunks or record by record.
- `fit`: a profile from a trace.
- `compare`: all of them, against a run that the fit never saw.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not from typing: 12 ms for each server, which starts in 20
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "load": "streamsim.loading",
    "measure": "streamsim.verbs",
    "fit": "streamsim.verbs",
    "simulate": "streamsim.verbs",
    "simulate_result": "streamsim.simulating",
    "predict": "streamsim.verbs",
    "compare": "streamsim.verbs",
    "StreamsimError": "streamsim.errors",
}

__all__ = [
    "StreamsimError",
    "__version__",
    "compare",
    "fit",
    "load",
    "measure",
    "predict",
    "simulate",
    "simulate_result",
]

if TYPE_CHECKING:
    from streamsim.errors import StreamsimError
    from streamsim.loading import load
    from streamsim.simulating import simulate_result
    from streamsim.verbs import compare, fit, measure, predict, simulate


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'streamsim' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
