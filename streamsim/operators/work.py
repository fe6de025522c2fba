r"""Spend a given time on each record and pass it on unchanged: a station whose service is known.

>>> from streamsim.operators import create
>>> create("work", {"service": "1 us"}).run(b"one\ntwo\n")
b'one\ntwo\n'
"""

from __future__ import annotations

from time import sleep, thread_time

from streamsim.formats.parameters import Parameter
from streamsim.operators.base import MANY, BlockOperator, Traits, bad_value

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random
    from typing import Any

    from streamsim.formats.base import Codec


class Work(BlockOperator):
    """Spend a given time on each record and pass it on unchanged: a station whose service is known.

    It spins until its thread has used the drawn CPU time (or sleeps it away with ``wait``), on top of the few
    microseconds that reading and writing a chunk cost any operator. What one wait overshoots is taken off the
    next, so that the mean is exact. A chunk is served whole, then sent.
    """

    traits = Traits(inputs=MANY, state="bounded", one_to_one=True, separable=True)
    parameters = (
        Parameter("service", "seconds", None, "mean time for each record", required=True, least=0),
        Parameter(
            "distribution", "text", "deterministic", "how it scatters",
            choices=("deterministic", "exponential", "gamma"),
        ),
        Parameter("scv", "number", None, "squared coefficient of variation of gamma, above 0", least=0),
        Parameter("wait", "flag", False, "sleep instead of computing: time that needs no core"),
        Parameter("seed", "integer", 1, "where the random draws start"),
    )  # fmt: skip
    saved = ("_random", "_over")

    def __init__(self, values: Mapping[str, Any], codec: Codec) -> None:
        super().__init__(values, codec)
        self._over = 0.0
        self._random: Random | None = None
        if values["distribution"] != "deterministic":
            from random import Random  # 4 ms that fixed service does without

            self._random = Random(values["seed"])
        self._spend: Callable[[float], float] = _sleep if values["wait"] else _spin

    @classmethod
    def verify(cls, values: Mapping[str, Any]) -> None:
        if values["distribution"] == "gamma" and not values["scv"]:
            raise bad_value("scv", "distribution 'gamma' needs its scv, above 0")
        if values["distribution"] != "gamma" and values["scv"] is not None:
            raise bad_value("scv", f"distribution '{values['distribution']}' has its own; only 'gamma' takes one")

    def process(self, block: bytes, records: int) -> bytes:
        due = self.demand(records) - self._over
        self._over = self._spend(due) if due > 0 else -due
        return block

    def demand(self, records: int) -> float:
        """Draw the time that so many records need together, in seconds."""
        service: float = self.values["service"]
        if self._random is None:
            return service * records
        shape = 1.0 if self.values["distribution"] == "exponential" else 1.0 / self.values["scv"]
        if not service:
            return 0.0
        # A sum of independent gammas of one scale is a gamma: one draw serves a chunk of any size.
        return self._random.gammavariate(shape * records, service / shape)


def _spin(duration: float) -> float:
    """Use so much CPU time of this thread (s); return by how much it became more."""
    end = thread_time() + duration
    now = thread_time()
    while now < end:
        now = thread_time()
    return now - end


def _sleep(duration: float) -> float:
    """Let so much time pass (s); return by how much it became more."""
    from time import monotonic

    end = monotonic() + duration
    sleep(duration)
    return monotonic() - end
