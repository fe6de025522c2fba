"""Service tables: by mean and scv, by parameters, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamsim.declaring import declared
from streamsim.errors import ScenarioError
from streamsim.models.variates import drawing


def table(**value: Any) -> Any:
    return declared(value, "service.a", Path("/nowhere")).service


@pytest.mark.parametrize(
    ("family", "scv"),
    [("erlang", 0.5), ("gamma", 0.7), ("lognormal", 2.0), ("weibull", 3.0), ("phase-type", 0.3), ("map", 4.0)],
)
def test_a_family_with_an_scv_keeps_the_declared_mean(family: str, scv: float) -> None:
    found = table(per_record="2 ms", scv=scv, distribution=family)
    assert found.per_record == 0.002
    assert found.distribution.family == family
    assert found.scv == pytest.approx(scv)


def test_a_correlation_alone_asks_for_a_markovian_service() -> None:
    assert table(per_record=1.0, scv=4.0, correlation=0.2).distribution.family == "map"


@pytest.mark.parametrize(
    ("law", "mean", "scv"),
    [
        ({"family": "phase-type", "initial": [1, 0], "rates": [[-4, 4], [0, -4]]}, 0.5, 0.5),
        ({"family": "map", "hidden": [[-2.0]], "visible": [[2.0]]}, 0.5, 1.0),
        ({"family": "hyperexponential", "probability": 0.5, "rates": [1.0, 0.5]}, 1.5, 11 / 9),
    ],
)
def test_rates_say_the_mean_where_no_demand_is_declared(law: dict[str, Any], mean: float, scv: float) -> None:
    found = table(distribution=law)
    assert found.per_record == pytest.approx(mean)
    assert found.scv == pytest.approx(scv)
    assert table(distribution=law, setup=3.0).per_record == 0.0


def test_a_file_of_times_says_mean_and_shape(tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text("1\n3\n")
    for family in ("empirical", "bootstrap"):
        law = {"family": family, "file": "times.txt"}
        found = declared({"distribution": law}, "service.a", tmp_path).service
        assert found.per_record == 2.0
        assert found.distribution.family == family


def test_a_file_of_few_times_keeps_their_scatter(tmp_path: Path) -> None:
    (tmp_path / "times.txt").write_text("0.5\n" * 9 + "5.5\n")
    for family in ("empirical", "bootstrap"):
        found = declared({"distribution": {"family": family, "file": "times.txt"}}, "service.a", tmp_path).service
        assert found.scv == pytest.approx((9 * 0.5**2 + 5.5**2) / 10 - 1)
        draw = drawing(found.distribution, np.random.default_rng(1))
        assert draw is not None
        assert set(draw(1000).tolist()) == {0.5, 5.5}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"scv": 0.3, "distribution": "erlang"}, "0.25 or 0.3333"),
        ({"scv": 4.0, "distribution": "map", "correlation": 0.4}, "below 0.375"),
        ({"scv": 2.0, "distribution": "gamma", "correlation": 0.1}, "has no correlation"),
        ({"distribution": {"family": "gamma"}}, "needs shape"),
        ({"distribution": {"family": "gamma", "shape": 2.0, "block": 3}}, "block: is no parameter of gamma"),
        ({"distribution": {"family": "gamma", "shap": 2.0}}, "did you mean 'shape'"),
        ({"distribution": {"family": "erlang", "shape": 2.5}}, "whole number"),
        ({"distribution": {"family": "gamma", "shape": 2.0}, "scv": 0.5}, "leave it out"),
        ({"distribution": {"family": "phase-type", "initial": [1], "rates": [[0.0]]}}, "never ends"),
        ({"distribution": {"family": "phase-type", "initial": [1, 0], "rates": [[-1.0]]}}, "2 rows of 2"),
        ({"distribution": {"family": "map", "hidden": [[-1.0]], "visible": [[2.0]]}}, "add up to 0"),
        ({"distribution": {"family": "hyperexponential", "probability": 0.5, "rates": [1.0]}}, "two rates"),
        ({"distribution": {"family": "empirical", "file": "none.txt"}}, "No such file"),
        ({"distribution": "empirical", "scv": 1.0}, "distribution"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(value: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError, match=message) as caught:
        declared(value, "service.a", Path("/nowhere"))
    assert str(caught.value).startswith("service.a")
