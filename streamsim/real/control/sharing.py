"""Control of the operators that share a process with the one that stands above them (real/worker/fused.py).

They have one socket. A method of the first is called by its name, one of another by ``STATION/METHOD``, also
``STATION/rpc.discover``. Pausing pauses the process. A command takes effect between what the part above gives; with
`at`, at a record or byte of its own input.
"""

from __future__ import annotations

from time import monotonic_ns

from streamsim.real.control.page import Page

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from streamsim.real.control.api import Api
    from streamsim.real.control.attention import Attention


class Share:
    """What an `Attention` is for the first operator of a process, this is for another; it is its own endpoint."""

    def __init__(self, attention: Attention, spec: Mapping[str, Any], part: Any) -> None:
        self.spec, self._attention, self._part = dict(spec), attention, part
        self._page = Page(spec["control"]["page"])
        self._made: Api | None = None
        self.started = attention.started
        self.bytes_in = self.bytes_out = self.chunks = self.ahead = 0
        self.appointments: list[Any] = []
        self.endpoint = self
        part.attention = self
        if spec["control"].get("commands"):
            from streamsim.real.control.appointments import expect

            attention.find_libraries()
            expect(self, spec["control"]["commands"])

    @property
    def position(self) -> int:
        """Before how many bytes of the part's input a command takes effect that is done now."""
        return self.bytes_in - self.ahead

    @property
    def process(self) -> Attention:
        """What reads and writes the pipes of this process."""
        return self._attention

    @property
    def unwritten(self) -> int:
        """What a full pipe has not yet taken of what the process gave."""
        return self._attention.unwritten

    @unwritten.setter
    def unwritten(self, value: int) -> None:
        self._attention.unwritten = value

    @property
    def paused(self) -> bool:
        """Whether the process reads no more."""
        return self._attention.paused

    @paused.setter
    def paused(self, value: bool) -> None:
        self._attention.paused = value

    @property
    def requests(self) -> int:
        """How many requests the process has answered."""
        return self._attention.endpoint.requests

    @property
    def api(self) -> Api:
        """What answers for this part."""
        if self._made is None:
            from streamsim.real.control.faculties import make_api

            self._made = make_api(self, self._part)
        return self._made

    def turn(self, descriptor: int, fresh: int, tell: Callable[[], None]) -> bool:
        """Let the process write into another pipe from the next chunk on."""
        return self._attention.turn(descriptor, fresh, tell)

    def rest(self) -> None:
        """Serve commands while the process is paused."""
        self._attention.rest()

    def note(self, state: int) -> None:
        """Write the counters into the page."""
        operator = self._part.operator
        self._page.write(
            operator.records_in, operator.records_out, self.bytes_in, self.bytes_out, self.chunks, state, monotonic_ns()
        )


class SharedApi:
    """The API of a process with several operators: that of the first, and of the others by their names."""

    def __init__(self, first: Api, shares: Mapping[str, Share]) -> None:
        self._first, self._shares = first, shares

    def names(self) -> tuple[str, ...]:
        """Return which methods the first has."""
        return self._first.names()

    def call(self, name: str, given: dict[str, Any] | list[Any]) -> Any:
        """Call a method of the first, or ``STATION/METHOD``."""
        station, slash, method = name.partition("/")
        if not slash:
            return self.document() if name == "rpc.discover" else self._first.call(name, given)
        if station not in self._shares:
            from streamsim.errors import nearest
            from streamsim.real.control.rpc import NoMethod

            raise NoMethod(f"there is no {station!r} here{nearest(station, self._shares)} ({', '.join(self._shares)})")
        return self._shares[station].api.call(method, given)

    def document(self) -> dict[str, Any]:
        """Return the OpenRPC document of the first, with the names of the others."""
        document = self._first.document()
        return {**document, "info": {**document["info"], "x-parts": list(self._shares)}}
