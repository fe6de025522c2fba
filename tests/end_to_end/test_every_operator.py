"""Every operator can be written into a scenario, and does there what it does in Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamsim import operators
from streamsim.loading import load
from streamsim.operators.base import Operator
from streamsim.operators.source import Source
from streamsim.real.run import run
from tests.operator_examples import examples, records_for

INSERTED = ("loop", "partition", "reorder")
"""Operators that a circuit's shape needs, and that nobody writes."""


@pytest.mark.parametrize("name", [name for name in operators.names() if name not in INSERTED])
def test_an_operator_does_in_a_scenario_what_it_does_in_python(name: str, tmp_path: Path) -> None:
    parameters = examples(name)[0]
    kind = operators.find(name)
    data = b"" if kind.traits.source else records_for(name, parameters)
    (tmp_path / "data").write_bytes(data)
    document: dict[str, Any] = {"sinks": {"out": {"file": "out"}}}
    section = {"operator": name, **parameters}
    if kind.traits.source:
        if name == "tail":
            Path(parameters["path"]).write_bytes(b"one\ntwo\n")
        if name == "file":
            section["paths"] = [str(tmp_path / "data")]
            (tmp_path / "data").write_bytes(b"one\ntwo\n")
        document |= {"sources": {"made": section}, "stations": {"last": {"operator": "copy"}}}
    else:
        inputs = ["data", "more"] if kind.traits.inputs == 2 else ["data"]
        document["sources"] = {source: {"file": "data"} for source in inputs}
        document["stations"] = {"it": {"input": inputs, **section}}
    run(load(document, file=str(tmp_path / "scenario.toml")))
    found = (tmp_path / "out").read_bytes()
    made = operators.create(name, {key: value for key, value in section.items() if key != "operator"})
    if isinstance(made, Source) or kind.traits.inputs != 2:
        assert found == made.run(data)
    else:
        assert isinstance(made, Operator)
        expected = made.feed(data, 0) + made.feed(data, 1) + made.finish()
        assert sorted(found.splitlines()) == sorted(expected.splitlines())
