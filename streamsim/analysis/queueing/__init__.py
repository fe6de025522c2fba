"""Queueing theory, one model or small family a file; every station model answers with a `Queue`.

==================  ================================================================================
file                what it holds
==================  ================================================================================
``result``          `Queue`, the answer; `Load`, the question; Little's law between them
``response_law``    the law of the response time where it is known, and its quantiles
``mm1``             M/M/1
``mmc``             Erlang's B and C, M/M/c
``mmck``            M/M/c/K, M/M/1/K: limited places, the rest is lost
``mg1``             M/G/1 (Pollaczek-Khinchine), M/D/1, M/G/1 under processor sharing
``gm1``             GI/M/1 for any gaps, and for constant, gamma and hyperexponential ones
``gg1``             G/G/1 by Kingman, by Krämer and Langenbach-Belz, by Marchal; Kingman's bound
``ggc``             G/G/c by Allen and Cunneen, by Whitt
``mdc``             M/D/c by Crommelin's series and by roots
``mapmap1``         PH/PH/1 and MAP/MAP/1 with the law of their response times, on ``qbd``
``phase_type``      phase-type laws, their moments, and fits from two and three moments
``map_process``     Markovian arrival processes: Poisson, renewal, bursts (MMPP)
``qbd``             quasi-birth-death chains by logarithmic reduction
``priority``        M/G/1 with priorities, preemptive or not
``batch``           M^X/M/1 and M^X/G/1
``vacation``        M/G/1 with vacations, one or many, and with a start-up
``transient``       M/M/1 on its way to steady state
``lines``           finite pipes: exact chains, windows where a line is too long for one
``tandem``          two stations with a finite pipe between them, blocking after or before service
``jackson``         open networks with random routes and feedback
``visits``          traffic equations with selectivities and feedback; visits in closed circuits
``qna``             open networks of any laws, decomposed by means and scv
``closed``          closed networks: the question and the answer
``mva``             exact mean value analysis, several classes and servers, open and closed mixed
``convolution``     the same by normalising constants
``amva``            Schweitzer and the linearizer
``bounds``          asymptotic, balanced-job and geometric bounds
``fork_join``       fork-join and split-merge
``scalability``     Amdahl's law, Gunther's universal scalability law, and their fits
``flow``            the scv of departures, of merged flows and of split flows
``birth_death``     the finite chain under ``mmck`` and ``tandem``
``checks``          the checks of what the models are given
==================  ================================================================================

`models` finds every station model by the `MODELS` of its file, so that a new model is a new file. Importing
this package or any of its files loads neither numpy nor scipy.

>>> model("M/M/c")(arrival_rate=1.5, service_time=1.0, servers=2).saturated
False
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import MappingProxyType

from streamsim.analysis.queueing.result import Queue
from streamsim.errors import ModelError, nearest

__all__ = ["Model", "Queue", "model", "models"]

Model = Callable[..., Queue]
"""Takes arrival_rate and service_time and some of servers, places, arrival_scv and service_scv, so named."""


@functools.cache
def models() -> Mapping[str, Model]:
    """Return every station model under its name, which is also the `method` of its answers.

    >>> sorted(models())[:3]
    ['D/M/1', 'G/G/1 Kingman', 'G/G/1 Kraemer-Langenbach-Belz']
    """
    found: dict[str, Model] = {}
    for module in pkgutil.iter_modules(__path__):
        found.update(getattr(importlib.import_module(f"{__name__}.{module.name}"), "MODELS", {}))
    return MappingProxyType(found)


def model(name: str) -> Model:
    """Return the station model of this name.

    Raises ModelError for an unknown name.

    >>> model("M/D/1")(arrival_rate=0.5, service_time=1.0).wait
    0.5
    """
    known = models()
    if name not in known:
        raise ModelError(f"unknown queueing model {name!r}{nearest(name, known)}")
    return known[name]
