"""Another number of servers for a keyed station while a simulation runs, as `real/control/rescale.py` does it.

All servers get ready for it while data flows. Then the split reads nothing more; when it, and every server, has taken
all that was on its way, and what they gave has been read by who reads it as it comes, keys change hands, for as long as
that took in the real run; then the split goes on, and gives to so many servers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simpy.events import Event

from streamsim.adjustable import Timed
from streamsim.models.pipe import Channel
from streamsim.models.server import STARVED, Server
from streamsim.models.station import Reader, Station

LOOK_S = 0.002
"""How often a real run looks whether all have come to rest."""


class Rescaling:
    """One such change. Which keys there are is not known: all who take part get the same share of the stream.

    ``behind``: the pipes that must be empty before keys change hands.
    """

    def __init__(
        self, command: Timed, split: Server, members: Sequence[Server], behind: Sequence[Channel] = ()
    ) -> None:
        assert isinstance(split, Reader), "a split reads"
        self.command, self.split, self.members, self.behind = command, split, members, behind
        self.clock = split.clock
        self.measured = split.row.shares
        self.clock.at(command.time_s, 0, self._begin)

    def _begin(self, event: Event) -> None:
        every = [one for one in (self.split, *self.members) if isinstance(one, Station)]
        for server in every:
            if server.ended_s is None:
                server.owe(self.command.work_s / len(every))
        self.clock.hand_over()
        self.clock.lookers += 1
        self.clock.at(self.clock.now + self.command.ready_s, 0, self._stop)

    def _stop(self, event: Event) -> None:
        self.clock.lookers -= 1
        if self.split.ended_s is None:
            self.split.hold(paused=True)
            self._again()
            self.clock.hand_over()

    def _again(self) -> None:
        self.clock.lookers += 1
        self.clock.at(self.clock.now + LOOK_S, 0, self._look)

    def _look(self, event: Event) -> None:
        self.clock.lookers -= 1
        passed = not any(channel.level for channel in self.behind)
        if passed and all(_rests(server) for server in (self.split, *self.members)):
            self.clock.at(self.clock.now + self.command.moving_s, 0, self._end)
        elif not self.clock.idle:
            self._again()

    def _end(self, event: Event) -> None:
        count, every = self.command.size, len(self.members)
        even = tuple(1.0 / count if place < count else 0.0 for place in range(every))
        self.split.row = replace(self.split.row, shares=self.measured if count == every else even)
        self.split.hold(paused=False)
        self.clock.hand_over()


def _rests(server: Server) -> bool:
    """Whether it has taken all that there is, and waits for more."""
    if server.ended_s is not None or (isinstance(server, Reader) and server.resting):
        return True
    return server.state == STARVED and not any(channel.level for channel in server.inputs)
