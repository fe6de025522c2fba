"""A pytest plugin that lets the machine stand still between two lines: no test's outcome may depend on it.

``pytest -p tests.standing_still --stand-still 3 tests/end_to_end`` sleeps for three seconds before some of the lines of
each test, and of what the tests share; other ``--stand-seed`` stand still elsewhere. With ``--stand-in streamsim/real``
it does so in the runner, where that runs in the process of the test, instead.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

_ROOT = Path(__file__).parents[1]
_MOST = 20
"""So often in one test."""


class StandingStill:
    """Sleeps before lines that are run for the first time in a test: each with a probability, in all threads."""

    def __init__(self, where: str, seconds: float, share: float, seed: str) -> None:
        self._where, self._seconds, self._share = str(_ROOT / where), seconds, share
        self._random, self._seen = random.Random(seed), set[tuple[str, int]]()
        self._slept = 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(self._where):
            return None
        place = (frame.f_code.co_filename, frame.f_lineno)
        if event == "line" and place not in self._seen:
            self._seen.add(place)
            if self._slept < _MOST and self._random.random() < self._share:
                self._slept += 1
                time.sleep(self._seconds)
        return self


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take how long, where, and how often."""
    parser.addoption("--stand-still", type=float, default=1.0, help="seconds (default: 1)")
    parser.addoption("--stand-share", type=float, default=0.3, help="before which share of the lines (default: 0.3)")
    parser.addoption("--stand-in", default="tests", help="in which files: a path that they begin with (default: tests)")
    parser.addoption("--stand-seed", default="1", help="other seeds stand still before other lines")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Let one test stand still."""
    option = item.config.getoption
    seed = f"{option('--stand-seed')} {item.nodeid}"
    standing = StandingStill(option("--stand-in"), option("--stand-still"), option("--stand-share"), seed)
    threading.settrace(standing)
    sys.settrace(standing)
    try:
        return (yield)  # type: ignore[return-value]
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
