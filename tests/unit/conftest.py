"""What unit tests are given: each engine of records in turn."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim.models.records.engine import Kernel
from streamsim.models.records.interpret import Interpreter


@pytest.fixture(params=[Interpreter, Kernel])
def engine(request: pytest.FixtureRequest) -> Any:
    """Each engine in turn."""
    return request.param
