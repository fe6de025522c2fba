"""streamsim by its max-plus recursions: the mean response time alone, as the peers answer it.

With ``STREAMSIM_ALL=1`` everything that `simulate` answers of a replication: quantiles, utilisations, Little's law.
"""

from __future__ import annotations

import os

import numpy as np
from models import PLACES, RATE, SERVERS, main

from streamsim.models.records.laws import Gaps, Law
from streamsim.models.records.maxplus import MaxPlus
from streamsim.models.records.sample import Plan, replication
from streamsim.models.records.table import Pipe, Source, Station, Table
from streamsim.models.table import Pace
from streamsim.service import Distribution

EXPONENTIAL = Law(Distribution(family="exponential", scv=1.0))


def table(model: str, records: int | None = None) -> Table:
    """Return a model as a table of records."""
    load = Source(arrivals="gaps", stream=Gaps(Pace(arrivals="poisson", rate=RATE[model])), records=records)
    count = 3 if model == "tandem" else 1
    servers = tuple(
        Station(name=f"s{place}", service=EXPONENTIAL, servers=SERVERS[model]) for place in range(1, count + 1)
    )
    pipes = tuple(
        Pipe(upstream=place, downstream=place + 1, capacity=PLACES if place else None) for place in range(count)
    )
    return Table(stations=(Station(name="source", base_s=0.0, source=load), *servers), pipes=pipes)


def run(model: str, records: int, seed: int) -> float:
    """Return the mean response time."""
    if os.environ.get("STREAMSIM_ALL") == "1":
        plan = Plan(table=table(model, records), engine="maxplus")
        return replication(plan, np.random.SeedSequence(seed)).response_mean_s
    engine = MaxPlus(table(model, records), np.random.SeedSequence(seed))
    for _ in engine.blocks():
        pass
    # All of a record's time is in the sums of the stations that it waited, was served and was blocked at.
    return float((engine.waited_s + engine.busy_s + engine.blocked_s).sum()) / records


if __name__ == "__main__":
    main(run)
