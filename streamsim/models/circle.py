"""Loops: where one begins, and when it ends: nothing comes from outside any more and nothing is on its way."""

from __future__ import annotations

from collections.abc import Sequence

from streamsim.models.clock import HANDOVER
from streamsim.models.pipe import Channel
from streamsim.models.server import BLOCKED, STARVED, Server, Steps
from streamsim.models.station import Port, Station

AT_EASE = 65536
"""While more than this waits at the entry of a loop, nothing more is let in (real/worker/circle.py, as the rest)."""
FIRST_LOOK_S, LONGEST_WAIT_S = 0.001, 0.02
"""An entry that waits looks whether the loop has ended after 1, 3, 7, 15 ms and then every 20 ms."""


class Circle:
    """The servers of one loop, whose entries end when all of them have nothing to do and nothing comes any more."""

    def __init__(self, members: Sequence[Server], channels: Sequence[Channel]) -> None:
        written = {channel for server in members for channel in server.outputs}
        read = {channel for server in members for channel in server.inputs}
        self.members = members
        self.inside = [channel for channel in channels if channel in written and channel in read]
        self.outside = [channel for channel in channels if channel in read and channel not in written]
        self.entries = [server for server in members if isinstance(server, Entry)]
        self.over = False

    def settle(self) -> None:
        """End the loop if nothing is left in it."""
        if self.over or not all(channel.ended for channel in self.outside):
            return
        if any(channel.level for channel in (*self.inside, *self.outside)):
            return
        if all(server.state == STARVED or server.ended_s is not None for server in self.members):
            self.over = True
            for entry in self.entries:
                entry.end_soon()


class Entry(Station):
    """Where a loop begins: takes what comes back even while its output is full, so that no full pipe stops the loop."""

    def steps(self) -> Steps:
        """Start up; mix what comes back with what comes from outside until the loop has ended."""
        row, service = self.row, self.row.service
        if self.work(service.startup):
            yield
        if self.pause(service.startup_waiting):
            yield
        self._idle_since = self.clock.now
        while True:
            self._send()
            port = self._next()
            if port is None:
                if self._held:
                    self._wait_for_either()
                elif all(other.done for other in self.ports):
                    break
                else:
                    self.starve([port.channel for port in self.ports if port.channel is not None and not port.done])
                yield
                continue
            self._ask()
            size = port.read(row.read_bytes)
            self.reads += 1
            if not size:
                port.done = True
                continue
            self.bytes_in += size
            self._got = self._idle_since = self.clock.now
            demand = service.demand(size / row.record_bytes, size)
            if self.work(
                demand if self.factor is None else demand * self.factor(size / row.record_bytes), self.threads
            ):
                yield
            self._served = self.clock.now
            self._send()
            self._note()
        yield from self._finish()

    @property
    def _held(self) -> int:
        return self.bytes_in - self.bytes_out

    def _send(self) -> None:
        if self._held and self.outputs:
            done = self.outputs[0].put(self._held)
            self.writes += done > 0
            self.bytes_out += done

    def _next(self) -> Port | None:
        """Return an input that can be read: first those by which something comes back."""
        places = [*self.row.back, *(place for place in range(len(self.ports)) if place not in self.row.back)]
        for place in places:
            port = self.ports[place]
            if not port.done and port.ready and (place in self.row.back or self._held <= AT_EASE):
                return port
        return None

    def _wait_for_either(self) -> None:
        """Sleep until there is room in the output or something to read."""
        self._block(self.outputs[0])
        for place, port in enumerate(self.ports):
            if port.channel is not None and not port.done and (place in self.row.back or self._held <= AT_EASE):
                port.channel.reader = self

    def wake(self) -> None:
        """End a sleep, whichever end of it came first."""
        if self.state == BLOCKED:
            self.outputs[0].writer = None
            for port in self.ports:
                if port.channel is not None:
                    port.channel.reader = None
        super().wake()

    def end_soon(self) -> None:
        """Let the end of what comes back be seen at the next look."""
        now, look, wait = self.clock.now, self._idle_since, FIRST_LOOK_S
        while look < now:
            look += wait
            wait = min(LONGEST_WAIT_S, 2 * wait + FIRST_LOOK_S)
        self.clock.at(look, HANDOVER, lambda event: self._end())

    def _end(self) -> None:
        for place in self.row.back:
            channel = self.ports[place].channel
            if channel is not None:
                channel.end()
        self.clock.hand_over()
