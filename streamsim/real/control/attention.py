"""Reading and writing pipes while listening for commands: no thread, and no call more while the data flows.

A pipe end is opened anew without blocking (a description of its own, so that whoever shares the pipe notices nothing).
As long as there are bytes, or room, the data path does the same calls as without control; only when it would sleep it
waits for the pipe and the commands together. While the data flows, commands are looked for every half millisecond at
most, and never take more than a twentieth of the time.

Whoever watches from outside tells the two waits by their system calls: a server waits for input in poll(2), for room in
its output in epoll_wait(2).
"""

from __future__ import annotations

import os
from select import EPOLLIN, EPOLLOUT, POLLIN, epoll, poll
from time import monotonic, monotonic_ns

from streamsim.real.control.endpoint import Endpoint
from streamsim.real.control.page import ENDED, PAUSED, RUNNING, SLEEPING, Page

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from streamsim.real.control.endpoint import Answering
    from streamsim.real.control.sharing import Share

_EVERY_S = 0.5e-3
_SHARE = 19.0
"""After commands that took t, the data has at least so many times t."""

_WAITERS = 8
"""For so many outputs the descriptor to wait with is kept; of hundreds each would have one (ulimit -n)."""

_S_IFMT, _S_IFIFO = 0o170000, 0o010000  # stat.h: the module `stat` is one import more


class Attention:
    """The eyes and ears of one server, as its specification (worker.py) says under ``control``.

    ``paused``: it reads no more until it is resumed. ``bytes_in``, ``bytes_out``, ``chunks`` count what moved;
    ``unwritten`` is what of the last chunk is not yet in the pipe: inside the chunk, what is still to be worked on too.
    """

    listens = True

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = dict(spec)
        where = spec["control"]
        self._page = Page(where["page"])
        self.endpoint = Endpoint(where["socket"], self._api)  # after the page: who can connect finds it
        self._holder: Any = None
        self._shares: dict[str, Share] = {}
        self.paused = False
        self.bytes_in = self.bytes_out = self.chunks = self.unwritten = 0
        self.appointments: list[Any] = []
        """Commands that wait for a position of the input, the next one first (see faculties.py)."""
        self.ahead = 0
        """Bytes of the chunk that was read last which the operator has not been given yet."""
        self.held: dict[int, bytes] = {}
        """The inputs that are not read until a marker (see markers.py) has come by others too, and what was read."""
        self.freed: list[tuple[int, bytes]] = []
        """What was held back and is to be worked on now, by its input."""
        self._next = 0.0
        self._readers: dict[tuple[int, ...], Any] = {}
        self._writers: dict[int, Any] = {}
        self._turns: list[tuple[int, int]] = []

    def serve_for(self, holder: Any) -> None:
        """Say whose commands these are: its attribute ``operator`` is read, and replaced by some commands."""
        self._holder = holder
        self.note()

    def share(self, parts: Iterable[tuple[Mapping[str, Any], Any]]) -> None:
        """Let the operators below the first, by their specifications, be asked too."""
        from streamsim.real.control.sharing import Share

        self._shares = {str(spec["name"]): Share(self, spec, part) for spec, part in parts}
        self.note()

    def expect(self, commands: list[dict[str, Any]]) -> None:
        """Do the commands of a recorded run where they were done then."""
        self.find_libraries()
        from streamsim.real.control.appointments import expect

        expect(self, commands)

    def find_libraries(self) -> None:
        """See to it that what answers requests can be imported."""
        import sys

        sys.path += [path for path in self.spec["control"]["libraries"] if path not in sys.path]

    def _api(self) -> Answering:
        """Make what answers, when the first request comes: its libraries take 30 ms to load."""
        self.find_libraries()
        from streamsim.real.control.faculties import make_api

        first = make_api(self, self._holder)
        if not self._shares:
            return first
        from streamsim.real.control.sharing import SharedApi

        return SharedApi(first, self._shares)

    def adopt(self, inputs: Iterable[int], outputs: Iterable[int]) -> None:
        """Make these descriptors, as far as they are pipes, return at once where they would block."""
        for descriptor in inputs:
            _reopen(descriptor, os.O_RDONLY)
        for descriptor in outputs:
            _reopen(descriptor, os.O_WRONLY)

    @property
    def position(self) -> int:
        """Before how many bytes of the input a command takes effect that is done now."""
        return self.bytes_in - self.ahead

    def read(self, descriptor: int, size: int) -> bytes:
        """Return the next bytes, empty at the end; commands are served while there are none."""
        while True:
            if self.paused:
                self._rest()
            try:
                chunk = os.read(descriptor, size)
            except BlockingIOError:
                self._listen((descriptor,))
                continue
            return self.taken(descriptor, chunk)

    def taken(self, descriptor: int, chunk: bytes) -> bytes:
        """Count what was read from an input and return it, with the rest of a marker where one was cut by its end."""
        if self.appointments and chunk:
            from streamsim.real.control.markers import whole

            chunk = whole(self.appointments, descriptor, chunk)
        self.bytes_in += len(chunk)
        return chunk

    def hold(self, port: int, chunk: bytes) -> None:
        """Read no more of an input, and keep the rest of what was read, until `free`."""
        self.held[port] = chunk
        self.bytes_in -= len(chunk)

    def free(self, ports: Iterable[int]) -> None:
        """Let these inputs be read again, after what was kept."""
        self.freed += [(port, self.held.pop(port)) for port in sorted(ports) if port in self.held]

    def ended(self, holder: Any, port: int) -> None:
        """Take note that one of several inputs has ended."""
        if self.appointments:
            from streamsim.real.control.markers import ended

            ended(self, holder, port)

    def instead(self, port: int) -> int:
        """Return which input to read while this one is held back."""
        from streamsim.real.control.markers import instead

        return instead(self.appointments, port)

    @property
    def process(self) -> Attention:
        """What reads and writes the pipes of this process: itself; of a part of it another (see sharing.py)."""
        return self

    def ready(self, descriptors: Iterable[int]) -> list[int]:
        """Wait until one of several inputs has bytes or has ended; return all that have."""
        wanted = tuple(descriptors)
        while True:
            if self.paused:
                self._rest()
            if found := self._listen(wanted):
                return found

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write a part, at least a byte, and return how much; commands are served while there is no room."""
        while True:
            try:
                done = os.write(descriptor, data)
            except BlockingIOError:
                self.unwritten = len(data)
                self.wait_for_room(descriptor)
                continue
            self.bytes_out += done
            self.unwritten = len(data) - done
            return done

    def between(self) -> None:
        """Between two chunks: bring the page up to date, and serve commands when it is time."""
        self.chunks += 1
        if self._turns:
            self._turn()
        now = monotonic()
        if now >= self._next:  # the page is as old as that at most; who sleeps brings it up to date first
            self.note()
            self._serve(now)

    @property
    def visited(self) -> bool:
        """Whether anybody is connected, who may want an answer before a long chunk is done."""
        return self.endpoint.visited

    def look(self, ahead: int, unwritten: int) -> None:
        """Inside a chunk, of which so many bytes are to be worked on and so many of output to be written."""
        self.ahead, self.unwritten = ahead, unwritten + ahead
        now = monotonic()
        if now >= self._next:
            self._serve(now)

    def rest(self) -> None:
        """Serve commands while it is paused."""
        if self.paused:
            self._rest()

    def sleep(self, seconds: float) -> None:
        """Sleep, serving commands."""
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            self.note(SLEEPING)
            self.endpoint.serve(left)
        self.note()

    def turn(self, descriptor: int, fresh: int) -> bool:
        """Write into another pipe from the next chunk on; returns whether that is so by now."""
        self._turns.append((descriptor, fresh))
        if self.unwritten == 0:
            self._turn()
        return not self._turns

    def _turn(self) -> None:
        for descriptor, fresh in self._turns:
            os.dup2(fresh, descriptor, inheritable=False)
            os.close(fresh)
            self._writers.pop(descriptor, None)
        self._turns = []

    def note(self, state: int | None = None) -> None:
        """Write the counters into the page."""
        operator = self._holder.operator
        if state is None:
            state = PAUSED if self.paused else RUNNING
        self._page.write(
            operator.records_in, operator.records_out, self.bytes_in, self.bytes_out, self.chunks, state, monotonic_ns()
        )
        for share in self._shares.values():
            share.note(state)

    def close(self) -> None:
        """The server has ended: say so in the page, and hang up."""
        self.note(ENDED)
        self.endpoint.close()

    def _serve(self, now: float) -> None:
        if self.endpoint.serve():
            after = monotonic()
            self._next = after + max(_EVERY_S, _SHARE * (after - now))
            self.note()
        else:
            self._next = now + _EVERY_S

    def _rest(self) -> None:
        """Serve commands until somebody says resume."""
        self.note()
        while self.paused:
            self.endpoint.serve(-1.0)
        self.note()

    def _listen(self, wanted: tuple[int, ...]) -> list[int]:
        """Wait for inputs or commands; serve these; return the inputs that have something, none while paused."""
        waiting = self._readers.get(wanted)
        if waiting is None:
            waiting = self._readers[wanted] = poll()
            for descriptor in (*wanted, self.endpoint.descriptor):
                waiting.register(descriptor, POLLIN)
        self.note()
        found = [descriptor for descriptor, _ in waiting.poll(0 if self.endpoint.pending else None)]
        if self.endpoint.pending or self.endpoint.descriptor in found:
            self.endpoint.serve()
            self.note()
        return [] if self.paused else [descriptor for descriptor in found if descriptor != self.endpoint.descriptor]

    def wait(self, descriptor: int) -> None:
        """Wait for an input, serving commands."""
        self._listen((descriptor,))
        self.rest()

    def moved(self, taken: int, given: int, chunks: int = 0) -> None:
        """Count bytes that were moved without `read` and `write`, and chunks that `between` is not called for."""
        self.chunks += chunks
        self.bytes_in += taken
        self.bytes_out += given

    def wait_for_room(self, descriptor: int) -> None:
        """Wait for room in an output, serving commands."""
        waiting = self._writers.get(descriptor)
        if waiting is None:
            if len(self._writers) >= _WAITERS:
                self._writers.pop(next(iter(self._writers)))
            waiting = self._writers[descriptor] = _waiter()
            waiting.register(descriptor, EPOLLOUT)
            waiting.register(self.endpoint.descriptor, EPOLLIN)
        self.note()
        for found, _ in waiting.poll(0 if self.endpoint.pending else None):
            if found == self.endpoint.descriptor:
                self.endpoint.serve()
                self.note()


def _waiter() -> Any:
    """Return what waits for room: without a descriptor to spare it looks from outside like waiting for input."""
    try:
        return epoll()
    except OSError:
        return poll()


def _reopen(descriptor: int, how: int) -> None:
    """Open a pipe end anew so that it does not block, under the same number.

    Not by a flag on the description that is there: others may share it. What is no pipe stays as it is, as does
    the end of a pipe whose reader has gone (ENXIO): its next write says so.
    """
    try:
        if os.fstat(descriptor).st_mode & _S_IFMT != _S_IFIFO:
            return
        fresh = os.open(f"/proc/self/fd/{descriptor}", how | os.O_NONBLOCK)
    except OSError:
        return
    os.dup2(fresh, descriptor, inheritable=False)
    os.close(fresh)
