"""The table of known answers: published or independently computed values, each with its source and tolerance."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KnownAnswer = dict[str, Any]


@pytest.fixture(scope="session")
def known_answers() -> dict[str, KnownAnswer]:
    """Return every row of the table by its name."""
    rows = json.loads(Path(__file__).with_name("known_answers.json").read_text(encoding="utf-8"))
    return {row["name"]: row for row in rows}


@pytest.fixture(scope="session")
def known_answer(known_answers: dict[str, KnownAnswer]) -> Callable[[str], KnownAnswer]:
    """Return the row of a name."""
    return known_answers.__getitem__
