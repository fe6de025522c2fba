"""The pieces of a segment that runs alone, taken at once, come to what they do one after another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.analysis.prediction import fluid
from streamsim.analysis.prediction.alone import MANY
from streamsim.analysis.prediction.fluid import FluidResult, Segment, Work, solve
from streamsim.service import HostProfile


def segment(name: str, rng: np.random.Generator, *, after: tuple[str, ...] = ()) -> Segment:
    pieces = int(rng.integers(1, 3 * MANY))
    at = (0.0, *np.sort(rng.random(pieces - 1)).tolist(), 1.0)
    works = []
    for k in range(int(rng.integers(1, 5))):
        amounts = rng.exponential(1.0, pieces) * (rng.random(pieces) < 0.8)
        threads = rng.choice([1.0, 1.0, 1.0, 2.0, 4.0], pieces) if rng.random() < 0.3 else np.ones(pieces)
        works.append(
            Work(
                station=f"{name}{k}",
                at=at,
                done=tuple(np.cumsum([0.0, *amounts]).tolist()),
                threads=tuple(threads.tolist()),
                waiting=float(rng.choice([0.0, 2.0])),
                servers=int(rng.integers(1, 4)),
            )
        )
    borders = np.sort(rng.choice(at, 2)).tolist()
    apart = ((borders[0], borders[1]),) if rng.random() < 0.5 else ()
    return Segment(name=name, works=tuple(works), after=after, apart=apart)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_pieces_at_once_and_one_after_another_say_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cores = int(rng.integers(1, 5))
    speed = tuple(np.linspace(1.0, rng.uniform(0.5, 1.0), cores).tolist())
    host = HostProfile(cores=cores, available_cores=cores * float(rng.uniform(0.6, 1.0)), speed=speed)
    beside = [segment("beside", rng)] if rng.random() < 0.5 else []
    last = segment("last", rng, after=("first", *(one.name for one in beside)))
    segments = [segment("first", rng), *beside, last]

    def answer(many: int) -> FluidResult:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fluid, "MANY", many)
            return solve(segments, host)

    at_once, one_by_one = answer(1), answer(10**9)
    settled = 1e-6  # so near both come to the cores in use before they stop
    assert at_once.makespan == pytest.approx(one_by_one.makespan, rel=settled)
    for found, expected in (
        (at_once.ended, one_by_one.ended),
        (at_once.cpu, one_by_one.cpu),
        (at_once.running, one_by_one.running),
        (at_once.busy, one_by_one.busy),
        (at_once.held_back(segments), one_by_one.held_back(segments)),
    ):
        expected = {name: seconds for name, seconds in expected.items() if seconds or name in found}
        assert {name: found.get(name, 0.0) for name in expected} == pytest.approx(expected, rel=settled, abs=settled)
