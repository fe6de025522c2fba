"""What more processes would promise: rows for the cores that matter, each as long as it brings something."""

from __future__ import annotations

from streamsim.analysis.goal import Goal
from streamsim.analysis.tradeoff import figure, tradeoff_of
from streamsim.analysis.whatif import search
from streamsim.analysis.whatif_plot import plot
from tests.unit.test_whatif import PROFILE, scenario


def test_each_row_promises_more_for_more_processes_and_what_the_answer_does() -> None:
    asked, goal = scenario(1500.0, a="1 ms", b="2 ms"), Goal(cores=8, p99_s=15e-3)
    found = search(asked, PROFILE, goal)
    rows = tradeoff_of(asked, PROFILE, goal, found).cores
    assert {variant.cores for variant in found.variants} <= set(rows)
    for row in rows.values():
        costs = [variant.servers for variant in row]
        promised = [value for variant in row if (value := figure(variant, goal)[1]) is not None]
        assert costs == sorted(costs) and promised[:-1] == sorted(promised[:-1], reverse=True)
    best = found.variants[0]
    assert best.p99_s is not None
    assert any(one.servers <= best.servers and (one.p99_s or 1.0) <= best.p99_s for one in rows[best.cores])


def test_where_nothing_carries_the_load_there_is_nothing_to_draw() -> None:
    asked, goal = scenario(1500.0, a="1 ms", b="2 ms"), Goal(cores=2, p99_s=15e-3)
    found = search(asked, PROFILE, goal)
    assert plot(found, tradeoff_of(asked, PROFILE, goal, found)) is None


def test_a_whole_run_is_drawn_by_its_makespan() -> None:
    asked, goal = scenario(None, a="1 ms"), Goal(cores=4, makespan_s=3.0)
    drawn = plot(found := search(asked, PROFILE, goal), tradeoff_of(asked, PROFILE, goal, found))
    assert drawn is not None and drawn.startswith(b"<?xml")
