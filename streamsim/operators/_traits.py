"""What a planner must know of an operator without running it."""

from __future__ import annotations

TYPE_CHECKING = False  # see base.py
if TYPE_CHECKING:
    from typing import Literal

    State = Literal["none", "bounded", "keys", "all"]

MANY = -1
"""As a number of inputs: one or more, taken record by record as they come."""


class Traits:
    """What a planner must know of an operator without running it.

    ``inputs`` is how many streams it reads: 0 for a source, 1, or `MANY`. ``ports`` names the further streams that
    it writes beside the main one; any number of readers gets copies. A ``barrier`` writes nothing before its input has
    ended. ``state`` grows with nothing (none), up to a bound (bounded), with the distinct keys (keys), or with the
    input (all). ``one_to_one``: each record gives exactly one record. ``separable``: what a record gives depends on it
    alone, so that servers which share the records give together what one would; so it is where there is no state.
    """

    __slots__ = ("barrier", "inputs", "one_to_one", "ports", "separable", "source", "state")

    def __init__(
        self,
        *,
        inputs: int = 1,
        ports: tuple[str, ...] = (),
        barrier: bool = False,
        state: State = "none",
        source: bool = False,
        one_to_one: bool = False,
        separable: bool | None = None,
    ) -> None:
        self.inputs, self.ports, self.barrier = inputs, ports, barrier
        self.state, self.source, self.one_to_one = state, source, one_to_one
        self.separable = separable if separable is not None else state == "none" and not (barrier or source)

    def __repr__(self) -> str:
        return f"Traits({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"
