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

from streamsim.real.worker.loop import Server
from streamsim.real.worker.outputs import Outputs

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from streamsim.operators.base import Operator
    from streamsim.real.control.attention import Attention
    from streamsim.real.worker.alone import Inattention
    from streamsim.real.worker.visits import Visits

_AT_ONCE = getattr(os, "SPLICE_F_NONBLOCK", 2)
"""Makes splice(2) return where it would wait: another output may have room (fcntl.h)."""

UNCOUNTED = -1
"""As the records of a visit: nobody looked at the bytes. The neighbours know how many there were."""

_SPARE = 16
"""Descriptors that a server needs for waiting, and for clients and what answers them."""

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
        try:
            self._read, self._write = self._pipe_of(-1)
            for descriptor in outputs.open[:-1]:
                self._pipe_of(descriptor)
            _check_spare(self._read)
        except OSError:
            self.close()
            raise

    def _pipe_of(self, descriptor: int) -> tuple[int, int]:
        pipe = self._pipes.get(descriptor)
        if pipe is None:
            from fcntl import F_GETPIPE_SZ, fcntl

            pipe = self._pipes[descriptor] = os.pipe()
            if fcntl(pipe[1], F_GETPIPE_SZ) < self.capacity:
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
        """Hand what was taken to every output, to each as it has room; returns when all have it, as `Outputs.send`."""
        outputs = self._outputs
        last = outputs.open[-1]
        left = {descriptor: (self._copy(descriptor, size), size) for descriptor in outputs.open[:-1]}
        left[last] = (self._read, size)
        gone: list[int] = []
        outputs.written = 0
        while left:
            full = self._pour(left, size, gone)
            if full >= 0:
                self._attention.wait_for_room(full)
        if gone:
            outputs.drop(gone)

    def _copy(self, descriptor: int, size: int) -> int:
        """Copy the stage into the private pipe of an output, which is empty; return where to read it."""
        read, write = self._pipe_of(descriptor)
        if self._tee(self._read, write, size) != size:
            raise OSError("tee(2) took less than an empty pipe of the same size holds")
        return read

    def _pour(self, left: dict[int, tuple[int, int]], size: int, gone: list[int]) -> int:
        """Move into each output what it has room for now; return one that is full then, -1: none.

        ``left`` says for each output from where how many bytes are still to go, and loses those that have all.
        Not all that are full are waited for: each page that any of them reads would wake this process.
        """
        outputs, full = self._outputs, -1
        for target, (source, rest) in tuple(left.items()):
            try:
                rest -= os.splice(source, target, rest, flags=_AT_ONCE)
            except BlockingIOError:
                full = target
                continue
            except BrokenPipeError:
                self._let_go(target, source, rest)
                gone.append(target)
                del left[target]
                continue
            outputs.written = max(outputs.written, size - rest)
            if rest:  # it took a part: it is full
                left[target], full = (source, rest), target
            else:
                del left[target]
        return full

    def _let_go(self, target: int, source: int, rest: int) -> None:
        """Forget what an output would have got from there: nobody reads it any more."""
        if source == self._read:  # the stage is for all; who comes last now may have had a pipe of its own before
            self.back(rest)
        for end in self._pipes.pop(target, ()):
            os.close(end)

    def close(self) -> None:
        """Let go of the private pipes."""
        for pipe in self._pipes.values():
            for end in pipe:
                os.close(end)
        self._pipes = {}


def _check_spare(descriptor: int) -> None:
    """Raise OSError where no descriptors are left for what else a server opens: it had better do without a stage."""
    spare: list[int] = []
    try:
        while len(spare) < _SPARE:
            spare.append(os.dup(descriptor))
    finally:
        for one in spare:
            os.close(one)


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
                if size < read_bytes or self.attention.appointments:
                    if size:
                        self.attention.moved(rounds * read_bytes, given, rounds)
                        rounds = given = 0
                        self._take(self.attention.taken(descriptor, stage.back(size)), 0, asked, got)
                        self.attention.between()
                    return size == read_bytes
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
