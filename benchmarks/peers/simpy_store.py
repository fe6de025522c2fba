"""SimPy 4 as its users write it: a process for each station, stores between them."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import simpy
from models import PLACES, RATE, SERVERS, main


def run(model: str, records: int, seed: int) -> float:
    """Return the mean response time."""
    draw, env = random.Random(seed).expovariate, simpy.Environment()
    total = 0.0

    def arrive(out: simpy.Store) -> Generator[Any, Any, None]:
        for _ in range(records):
            yield env.timeout(draw(RATE[model]))
            yield out.put(env.now)

    def serve(queue: simpy.Store, out: simpy.Store | None) -> Generator[Any, Any, None]:
        nonlocal total
        while True:
            born = yield queue.get()
            yield env.timeout(draw(1.0))
            if out is None:
                total += env.now - born
            else:
                yield out.put(born)

    queues = [simpy.Store(env)]
    if model == "tandem":
        queues += [simpy.Store(env, PLACES), simpy.Store(env, PLACES)]
    for place, queue in enumerate(queues):
        for _ in range(SERVERS[model]):
            env.process(serve(queue, queues[place + 1] if place + 1 < len(queues) else None))
    env.process(arrive(queues[0]))
    env.run()
    return total / records


if __name__ == "__main__":
    main(run)
