"""cimba (processes compiled by numba onto its C engine), in the style of its own examples."""

from __future__ import annotations

from typing import Any

import cimba as cb
import numpy as np
from cimba import inputs
from models import PLACES, RATE, SERVERS, main

TANDEM_RATE, QUEUE_RATE = RATE["tandem"], {name: rate for name, rate in RATE.items() if name != "tandem"}


class Tandem(cb.Model):
    """Three stations in line."""

    gap: cb.Input[float] = inputs.dist.exponential(mean=1 / TANDEM_RATE)
    first: cb.Input[float] = inputs.dist.exponential(mean=1.0)
    second: cb.Input[float] = inputs.dist.exponential(mean=1.0)
    third: cb.Input[float] = inputs.dist.exponential(mean=1.0)
    q1: cb.Store[float] = cb.Store()
    q2: cb.Store[float] = cb.Store(capacity=PLACES)
    q3: cb.Store[float] = cb.Store(capacity=PLACES)
    n: cb.Param[int] = 1
    total: cb.Output[float]
    count: cb.Output[float]

    @cb.process
    def arrivals(self):  # type: ignore[no-untyped-def]
        """Give records."""
        for _ in range(self.n):
            cb.hold(self.gap.next())
            self.q1.put(cb.now())

    @cb.process
    def serve_first(self):  # type: ignore[no-untyped-def]
        """The first station."""
        while True:
            born = self.q1.get()
            cb.hold(self.first.next())
            self.q2.put(born)

    @cb.process
    def serve_second(self):  # type: ignore[no-untyped-def]
        """The second station."""
        while True:
            born = self.q2.get()
            cb.hold(self.second.next())
            self.q3.put(born)

    @cb.process
    def serve_third(self):  # type: ignore[no-untyped-def]
        """The third station."""
        self.total = 0.0
        self.count = 0.0
        while True:
            born = self.q3.get()
            cb.hold(self.third.next())
            self.total = self.total + (cb.now() - born)
            self.count = self.count + 1.0


def queue_model(name: str) -> Any:
    """Return one station with its servers."""
    rate, servers = QUEUE_RATE[name], SERVERS[name]

    class Queue(cb.Model):
        gap: cb.Input[float] = inputs.dist.exponential(mean=1 / rate)
        service: cb.Input[float] = inputs.dist.exponential(mean=1.0)
        waiting: cb.Store[float] = cb.Store()
        n: cb.Param[int] = 1
        total: cb.Output[float]
        count: cb.Output[float]

        @cb.on_start
        def zero(self):  # type: ignore[no-untyped-def]
            self.total = 0.0
            self.count = 0.0

        @cb.process
        def arrivals(self):  # type: ignore[no-untyped-def]
            for _ in range(self.n):
                cb.hold(self.gap.next())
                self.waiting.put(cb.now())

        @cb.process(copies=servers)
        def serve(self):  # type: ignore[no-untyped-def]
            while True:
                born = self.waiting.get()
                cb.hold(self.service.next())
                self.total = self.total + (cb.now() - born)
                self.count = self.count + 1.0

    return Queue()


MODELS: dict[str, Any] = {}


def run(model: str, records: int, seed: int) -> float:
    """Return the mean response time."""
    if model not in MODELS:
        MODELS[model] = Tandem() if model == "tandem" else queue_model(model)
    one = MODELS[model]
    one.n = records
    answer = cb.Experiment(one, replications=1, seed=seed).run(workers=1)[one]
    return float(np.asarray(answer.total.values).sum() / np.asarray(answer.count.values).sum())


if __name__ == "__main__":
    main(run)
