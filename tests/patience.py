"""Waiting for what is bound to happen, on a machine of any speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 120.0
"""After so long it counts as never: this guards against a hang, and costs nothing where all is well."""


def until(happens: Callable[[], Any]) -> bool:
    """Wait for something that is bound to happen; False if it has not within `PATIENCE_S`."""
    deadline = time.monotonic() + PATIENCE_S
    while not happens():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
