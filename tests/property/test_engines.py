"""The engines against each other: the same random streams give the same departures, bit for bit."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from streamsim.models.records import built
from streamsim.models.records import engine as engines
from tests.property.random_tables import difference, random_table

CIRCUITS = 2000
"""How many circuits the fuzzer tries here (half a minute or so); benchmarks/fuzz_engines.py tries as many as asked."""


def test_random_circuits_give_the_same_departures_in_both_engines() -> None:
    compared = 0
    for number in range(CIRCUITS):
        rng = np.random.default_rng([20, number])
        count, how = difference(random_table(rng, 400), number, rng, until_s=800.0)
        assert not how, (
            f"circuit {number}: {how}; python benchmarks/fuzz_engines.py --seed 20 --records 400 --only {number}"
        )
        compared += count
    assert compared > 20 * CIRCUITS


FOLDER = Path(engines.__file__).parent


def test_the_kernel_that_was_not_compiled_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = built.plain_kernel(FOLDER)
    assert not plain.COMPILED
    monkeypatch.setattr(engines, "kernel_module", lambda: plain)
    for number in range(40):
        rng = np.random.default_rng([21, number])
        assert difference(random_table(rng, 60), number, rng, until_s=100.0)[1] == "", f"circuit {number}"


def test_where_the_kernel_was_not_compiled_one_warning_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(built, "imported", built.plain_kernel(FOLDER))
    built.kernel_module.cache_clear()
    with pytest.warns(RuntimeWarning, match="install a C compiler"):
        built.kernel_module()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        built.kernel_module()
    built.kernel_module.cache_clear()


def test_a_kernel_compiled_from_another_text_is_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = SimpleNamespace(COMPILED=True, signature=lambda: 1, __file__=str(FOLDER / "kernel.abi3.so"))
    monkeypatch.setattr(built, "imported", stale)
    built.kernel_module.cache_clear()
    with pytest.warns(RuntimeWarning, match="another version"):
        module = built.kernel_module()
    built.kernel_module.cache_clear()
    assert not module.COMPILED


def test_recursions_compiled_from_another_text_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = SimpleNamespace(COMPILED=True, signature=lambda: 1, __file__=str(FOLDER / "recursions.abi3.so"))
    monkeypatch.setattr(built, "imported_recursions", stale)
    built.recursions_module.cache_clear()
    with pytest.warns(RuntimeWarning, match=r"\(recursions\) was compiled from another version"):
        module = built.recursions_module()
    built.recursions_module.cache_clear()
    assert not module.COMPILED and module.one_server


def test_a_mutated_kernel_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer can fail: a kernel whose pipes hold one record more than they should differs within a few circuits."""
    original = engines.pack

    def roomier(*args: object, **options: object) -> object:
        packed = original(*args, **options)  # type: ignore[arg-type]
        for pipe in packed.pipes:
            packed.n[pipe + 2] += 1
        return packed

    monkeypatch.setattr(engines, "pack", roomier)
    found = []
    for number in range(30):
        rng = np.random.default_rng([22, number])
        found.append(difference(random_table(rng, 60), number, rng, until_s=100.0)[1])
    assert any(found)
