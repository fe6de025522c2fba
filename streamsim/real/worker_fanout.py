"""Fan-out without copying: full chunks go from one pipe to several by tee(2) and splice(2), as references to pages.

tee(2) always begins at the head of a pipe, so one that could not take all must never be asked for the rest. A chunk
is therefore moved into a pipe of our own, the *stage*; each output but the last has a private pipe as large as the
stage and empty, which tee fills at once and splice then pours into the output, however slowly that is read; the last
output gets the stage itself.

Only full chunks go this way: splice hands slots on as they came, where a write of the bytes would fill up the page
before. Of smaller pieces a pipe would hold less than it does elsewhere, down to 16 bytes (see models/pipe.py).
"""

from __future__ import annotations

import os
from stat import S_ISFIFO
from time import monotonic

from streamsim.real.worker_loop import Outputs, Server

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from streamsim.operators.base import Operator
    from streamsim.real.control.attention import Attention
    from streamsim.real.worker_loop import Inattention
    from streamsim.real.worker_visits import Visits

UNCOUNTED = -1
"""As the records of a visit: nobody looked at the bytes. The neighbours know how many there were."""


_ROUNDS_S = 0.001
"""For so long full chunks are passed on before it is seen to that there may be commands. Waiting serves them anyway."""


class Stage:
    """The private pipes between an input and the outputs; ``capacity`` is what one round moves (bytes).

    Raises OSError where the kernel lacks a call or the user's pages for pipes have run out (pipe(7)).
    """

    def __init__(self, outputs: Outputs, capacity: int, attention: Attention | Inattention) -> None:
        self._outputs, self.capacity, self._attention = outputs, capacity, attention
        self._tee = _find_tee()
        self._pipes: dict[int, tuple[int, int]] = {}
        self._read, self._write = self._pipe_of(-1)
        for descriptor in outputs.open[:-1]:
            self._pipe_of(descriptor)

    def _pipe_of(self, descriptor: int) -> tuple[int, int]:
        pipe = self._pipes.get(descriptor)
        if pipe is None:
            from fcntl import F_GETPIPE_SZ, fcntl

            pipe = self._pipes[descriptor] = os.pipe()
            if fcntl(pipe[1], F_GETPIPE_SZ) < self.capacity:
                self.close()
                raise OSError(f"a pipe of {self.capacity} bytes is not to be had")
        return pipe

    def take(self, descriptor: int) -> int:
        """Move what there is, at most one round, into the stage; return how much, 0 at the end of the input."""
        while True:
            try:
                return os.splice(descriptor, self._write, self.capacity)
            except BlockingIOError:
                self._attention.wait(descriptor)

    def back(self, size: int) -> bytes:
        """Return what was taken, out of the stage."""
        data = b""
        while len(data) < size:
            data += os.read(self._read, size - len(data))
        return data

    def send(self, size: int) -> None:
        """Hand what was taken to each output in turn, as `Outputs.send` does: a full pipe blocks."""
        outputs = self._outputs
        outputs.written = 0
        last = outputs.open[-1]
        gone = [descriptor for descriptor in outputs.open if descriptor != last and not self._copy(descriptor, size)]
        done = self._pour(self._read, last, size)
        if done < size:
            self.back(size - done)
            gone.append(last)
        if gone:
            outputs.drop(gone)

    def _copy(self, descriptor: int, size: int) -> bool:
        read, write = self._pipe_of(descriptor)
        if self._tee(self._read, write, size) != size:
            raise OSError("tee(2) took less than an empty pipe of the same size holds")
        whole = self._pour(read, descriptor, size) == size
        if not whole:
            for end in self._pipes.pop(descriptor):
                os.close(end)
        return whole

    def _pour(self, source: int, target: int, size: int) -> int:
        """Move so much from a private pipe into an output; less only where its reader has gone."""
        done = 0
        try:
            while done < size:
                try:
                    done += os.splice(source, target, size - done)
                except BlockingIOError:
                    self._attention.wait_for_room(target)
        except BrokenPipeError:
            pass  # the caller drops it
        self._outputs.written = max(self._outputs.written, done)
        return done

    def close(self) -> None:
        """Let go of the private pipes."""
        for pipe in self._pipes.values():
            for end in pipe:
                os.close(end)
        self._pipes = {}


class Fanout(Server):
    """A server that passes bytes on unchanged: small chunks by reading and writing, full ones without copying."""

    def __init__(
        self, operator: Operator, outputs: Outputs, visits: Visits, attention: Attention | Inattention
    ) -> None:
        super().__init__(operator, outputs, visits, attention)
        self._fan = outputs
        self._stage: Stage | None = None

    def _one(self, descriptor: int, read_bytes: int) -> tuple[float, float]:
        able = can_splice((descriptor, *self._fan.open))
        while True:
            asked = monotonic()
            chunk = self.attention.read(descriptor, read_bytes)
            got = monotonic()
            if not chunk:
                return asked, got
            self._take(chunk, 0, asked, got)
            self.attention.between()
            if able and len(chunk) == read_bytes:
                able = self._while_full(descriptor, read_bytes)

    def _while_full(self, descriptor: int, read_bytes: int) -> bool:
        """Pass full chunks on without copying, until one is not full; return whether to do so again."""
        if self._stage is None:
            try:
                self._stage = Stage(self._fan, read_bytes, self.attention)
            except (OSError, AttributeError):  # AttributeError: no os.splice, no libc.tee
                return False
        while not self.attention.appointments:  # at a position: the bytes have to be cut there
            self.attention.rest()
            if not self._some_rounds(self._stage, descriptor, read_bytes):
                return True  # also at the end of the input: the next read finds it again
        return True

    def _some_rounds(self, stage: Stage, descriptor: int, read_bytes: int) -> bool:
        """Pass on full chunks until it is time to look for commands; return False after one that was not full."""
        fan, add = self._fan, self.visits.add
        rounds = given = 0
        asked = monotonic()
        until = asked + _ROUNDS_S
        try:
            while True:
                size = stage.take(descriptor)
                got = monotonic()
                if size < read_bytes:
                    if size:
                        self._take(stage.back(size), 0, asked, got)
                    return False
                self.operator.counting = False
                try:
                    stage.send(size)
                finally:
                    sent = monotonic()
                    add(asked, got, got, sent, size, fan.written, UNCOUNTED, UNCOUNTED)
                    rounds, given = rounds + 1, given + fan.written
                if sent >= until:
                    return True
                asked = sent
        finally:
            if rounds:
                self.attention.moved(rounds * read_bytes, given, rounds - 1)
                self.attention.between()


def can_splice(descriptors: Sequence[int]) -> bool:
    """Return whether all of these are pipes, and this system can move pages between them."""
    return hasattr(os, "splice") and all(S_ISFIFO(os.fstat(one).st_mode) for one in descriptors)


def _find_tee() -> Any:
    """Return tee(2) as a function of two descriptors and a size; raises AttributeError where libc has none."""
    from ctypes import CDLL, c_int, c_size_t, c_ssize_t, c_uint, get_errno

    call = CDLL(None, use_errno=True).tee
    call.argtypes, call.restype = (c_int, c_int, c_size_t, c_uint), c_ssize_t

    def tee(source: int, target: int, size: int) -> int:
        done: int = call(source, target, size, 0)
        if done < 0:
            raise OSError(get_errno(), "tee(2) failed")
        return done

    return tee
