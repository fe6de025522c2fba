"""Reading and writing pipes while listening for commands: no thread, and nothing done for it while nobody asks.

A pipe end is opened anew (a description of its own, so that whoever shares the pipe notices nothing). It blocks, as it
would without control, and nothing looks for commands: whoever connects, or says something after a silence, makes the
kernel send SIGURG, whose handler lets the pipe ends return at once from then on. So a call that sleeps in one of them
ends with nothing moved, and the server waits for the pipe and the commands together until all have been silent for a
while. A signal that comes between the last instruction and the system call is noticed with the next chunk only; so that
no silent input keeps it, the runner sends one too, to who has stood still for a second (rousing.py).

Commands have a fortieth of the time, of which some may be saved, while data flows; where none has come, or gone,
for 2 ms, they have all of it (allowance.py).

Whoever watches from outside tells the two waits by their system calls: while somebody asks a server waits for input in
poll(2), for room in its output in epoll_wait(2).
"""

from __future__ import annotations

import os
import sys
from time import monotonic, monotonic_ns, thread_time

from streamsim.real.control.allowance import Allowance
from streamsim.real.control.endpoint import Endpoint
from streamsim.real.control.ends import Ends, Waiters
from streamsim.real.control.page import ENDED, PAUSED, RUNNING, SLEEPING, Page

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from streamsim.real.control.endpoint import Answering
    from streamsim.real.control.sharing import Share

_signal: Any = sys.modules.get("_signal") or __import__("signal")  # as in worker/loop.py

_EVERY_S = 0.7e-3
_RELAX_S = 5e-3
"""After so long without a request nothing looks for one until the kernel says so."""


class _Unborn:
    """The operator of a server that has not begun: it has counted nothing."""

    records_in = records_out = 0


class _Nobody:
    """Whose commands they are before `serve_for`: a server may be told to end while it is being set up."""

    operator = _Unborn


class Attention:
    """The eyes and ears of one server, as its specification (worker/main.py) says under ``control``.

    ``alert``: somebody may want something; that changes between two chunks only. ``paused``: it reads no more until it
    is resumed. ``bytes_in``, ``bytes_out``, ``chunks`` count what moved; ``unwritten`` is what of the last chunk is not
    yet in the pipe, as far as is known: inside the chunk, what is still to be worked on too.
    """

    listens = True

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = dict(spec)
        where = spec["control"]
        self._page = Page(where["page"])
        self._holder: Any = _Nobody
        self._shares: dict[str, Share] = {}
        self.paused = self.alert = self._roused = self._asleep = False
        self._idle = False
        """Whether it waits, for input or for room: it stands still, and its counters are exact."""
        self.bytes_in = self.bytes_out = self.chunks = self.unwritten = 0
        self.appointments: list[Any] = []
        """Commands that wait for a position of the input, see positions.py and markers.py."""
        self.ahead = 0
        """Bytes of the chunk that was read last which the operator has not been given yet."""
        self.closed: set[int] = set()
        """Those of several inputs that have ended."""
        self.held: dict[int, bytes] = {}
        """The inputs that are not read until a marker (see markers.py) has come by others too, and what was read."""
        self.freed: list[tuple[int, bytes]] = []
        """What was held back and is to be worked on now, by its input."""
        self.started = monotonic()
        self._allowance = Allowance(self.started)
        self._next = self._looked = 0.0
        self._ends = Ends()
        self._turns: list[tuple[int, int, Callable[[], None]]] = []
        self.endpoint = Endpoint(where["socket"], self._api, self._quick)  # last: who can connect finds the rest
        self._waiters = Waiters(self.endpoint.descriptor)

    def serve_for(self, holder: Any) -> None:
        """Say whose commands these are: its attribute ``operator`` is read, and replaced by some commands."""
        self._holder = holder
        self.note()
        _signal.signal(_signal.SIGURG, self._rouse)
        if self.appointments:  # there may be nothing to read before the first of them
            self._rouse()
        else:  # to look for commands in pieces of the first chunks, though nobody has any, would cost 10 ms
            self._relax()

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
        sys.path += [path for path in self.spec["control"]["libraries"] if path not in sys.path]

    def _api(self) -> Answering:
        """Make what answers, when the first request comes: its libraries take 30 ms to load."""
        since = thread_time()
        self.find_libraries()
        from streamsim.real.control.faculties import make_api

        first = make_api(self, self._holder, since)
        if not self._shares:
            return first
        from streamsim.real.control.sharing import SharedApi

        return SharedApi(first, self._shares)

    def _quick(self) -> Any:
        """Make what answers the plainest requests."""
        from streamsim.real.control.basics import Basics
        from streamsim.real.control.quick import Quick

        return Quick(Basics(self._holder, self))

    def adopt(self, inputs: Iterable[int], outputs: Iterable[int]) -> None:
        """Make these descriptors, as far as they are pipes, its own."""
        for descriptor in inputs:
            self._ends.own(descriptor, os.O_RDONLY)
        for descriptor in outputs:
            self._ends.own(descriptor, os.O_WRONLY)

    def _rouse(self, number: int = 0, frame: object = None) -> None:
        """Be alert from the next chunk on; the handler of SIGURG, so it may run between any two instructions.

        It brings the page up to date, except inside a chunk.
        """
        if self._idle:
            self.note()
        if not self._roused:
            self._roused = True
            self._next = 0.0
            self.endpoint.call_by_signal(wanted=False)
            self._ends.set_blocking(False)

    def _relax(self) -> None:
        """Let nothing but a signal disturb it. Whoever came meanwhile is found here, or the signal comes after this."""
        self._ends.set_blocking(True)
        self.endpoint.call_by_signal(wanted=True)
        self.alert = self._roused = False  # last: a signal before this changes nothing, and who sent it is found now
        if self.endpoint.wanted():
            self._rouse()

    @property
    def position(self) -> int:
        """Before how many bytes of the input a command takes effect that is done now."""
        return self.bytes_in - self.ahead

    def read(self, descriptor: int, size: int) -> bytes:
        """Return the next bytes, empty at the end; commands are served while there are none."""
        while True:
            if self.paused:
                self._rest()
            self._idle = True
            try:
                chunk = os.read(descriptor, size)
            except BlockingIOError:
                self._listen((descriptor,))
                continue
            self._idle = False
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
        self.closed.add(port)
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
        self.unwritten = size = len(data)
        while True:
            try:
                done = os.write(descriptor, data)
            except BlockingIOError:
                self.wait_for_room(descriptor)
                continue
            self.bytes_out += done
            self.unwritten = size - done
            return done

    def between(self) -> None:
        """Between two chunks: bring the page up to date, and serve commands, when it is time."""
        self.chunks += 1
        now = monotonic()
        if now >= self._next:  # the page is as old as that at most while data flows
            self._look(now)

    def _look(self, now: float) -> None:
        if self._turns:
            self._turn()
        self._next = now + _EVERY_S
        if not self._roused:
            self.note()
            return
        self.alert = True
        gap, self._looked = now - self._looked, now
        if not self._serve(now):
            self.note()
        # Who works on a chunk for long goes on looking inside of it as long as anybody is connected; who has an
        # appointment may have to see whether there is more to read (markers.py).
        calm = gap < 2 * _EVERY_S or not self.endpoint.visited
        if calm and now - self.endpoint.heard > _RELAX_S and not self.appointments:
            self._relax()

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
        self._asleep = True
        while (left := until - monotonic()) > 0:
            self.note()
            self.endpoint.serve(left)
        self._asleep = False
        self.note()

    def turn(self, descriptor: int, fresh: int, tell: Callable[[], None]) -> bool:
        """Write into another pipe from the next chunk on; returns whether that is so by now.

        Just before it does, it calls ``tell``: whoever sees that the old pipe has ended can know why.
        """
        self._turns.append((descriptor, fresh, tell))
        if self.unwritten == 0:
            self._turn()
        return not self._turns

    def _turn(self) -> None:
        for descriptor, fresh, tell in self._turns:
            tell()
            self._ends.put(descriptor, fresh)
            self._waiters.forget(descriptor)
            os.set_blocking(descriptor, not self._roused)
        self._turns = []

    def note(self, state: int | None = None) -> None:
        """Write the counters into the page."""
        operator = self._holder.operator
        if state is None:
            state = PAUSED if self.paused else SLEEPING if self._asleep else RUNNING
        self._page.write(
            operator.records_in, operator.records_out, self.bytes_in, self.bytes_out, self.chunks, state, monotonic_ns()
        )
        for share in self._shares.values():
            share.note(state)

    def close(self) -> None:
        """The server has ended: say so in the page, and hang up."""
        _signal.signal(_signal.SIGURG, _signal.SIG_IGN)
        self.note(ENDED)
        self.endpoint.close()

    def _serve(self, now: float) -> bool:
        """Serve commands while data flows, as far as they have time; return whether there were any."""
        left = self._allowance.left(now)
        if served := left > 0 and self.endpoint.serve():
            after = monotonic()
            self._allowance.take(after, after - now, plain=self.endpoint.plain)
            self.note()
            now = after
            left = self._allowance.left(after)
        self._next = 0.0 if self._turns else now + max(_EVERY_S, self._allowance.wait_s(left))
        return served

    def _rest(self) -> None:
        """Serve commands until somebody says resume."""
        self._rouse()
        while self.paused:
            self.endpoint.serve(-1.0)
        self.note()

    def _listen(self, wanted: tuple[int, ...]) -> list[int]:
        """Wait for inputs or commands; serve these; return the inputs that have something, none while paused."""
        self._idle = True
        self.note()
        since = monotonic()
        while True:
            timeout_s, both = self._patience(since)
            found = self._waiters.for_data(wanted, timeout_s, both=both)
            if self.endpoint.descriptor in found or (both and self.endpoint.pending):
                self._attend()
            data = [descriptor for descriptor in found if descriptor != self.endpoint.descriptor]
            if self.paused or data:
                self._idle = False
                return [] if self.paused else data

    def _attend(self) -> None:
        """Serve commands while the data waits."""
        now = monotonic()
        self.endpoint.serve()
        after = monotonic()
        self._allowance.take(after, after - now, plain=self.endpoint.plain)
        self.note()

    def _patience(self, since: float) -> tuple[float | None, bool]:
        """Return how long (s) to wait, and whether for commands as well: not while they have had their time."""
        timeout_s = self._allowance.patience_s(monotonic(), since)
        if timeout_s is not None:
            return timeout_s, False
        return (0.0 if self.endpoint.pending else None), True

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
        self._idle = True
        self.note()
        since = monotonic()
        while True:
            timeout_s, both = self._patience(since)
            found = self._waiters.for_room(descriptor, timeout_s, both=both)
            if self.endpoint.descriptor in found or (both and self.endpoint.pending):
                self._attend()
            if descriptor in found:
                self._idle = False
                return
