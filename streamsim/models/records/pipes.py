"""Records, and the pipes that they wait in (part of the SimPy interpreter, the specification)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsim.models.pipe import PAGE, SlotPipe
from streamsim.models.records.table import Pipe

if TYPE_CHECKING:
    from streamsim.models.records.interpret import Interpreter
    from streamsim.models.records.servers import Server


@dataclass(slots=True)
class Record:
    """One record on its way; ``left`` is how many of its bytes are not in the pipe yet, ``root`` who gave it."""

    ident: int
    born: float
    size: int = 1
    key: int = 0
    origin: int = 0
    """The station of the source that it comes from."""
    urgency: int = 0
    root: Server | None = None
    left: int = 0
    stamp: int = 0
    rank: int = 0
    """Its class in the pipe that it entered last."""
    visit: tuple[float, float, float] | None = None
    """Of one whose service was interrupted: when it was asked for, when it was got, and the work that is left."""
    since: float = 0.0
    """Since when its service has been interrupted."""

    def clone(self) -> Record:
        """Return another record like this; whoever circulates them has one more to wait for."""
        if self.root is not None:
            self.root.live += 1
        return Record(self.ident, self.born, self.size, self.key, self.origin, self.urgency, self.root)

    def vanish(self) -> None:
        """End here: tell the closed source that gave it when that was its last descendant."""
        if self.root is not None:
            self.root.live -= 1
            if self.root.live == 0 and self.root.awaiting:
                self.root.awaiting = False
                self.root.call()


class RecordPipe:
    """A pipe of records: who waits at either end, and how a record that does not fit goes in.

    Writers that wait are served first come, first served, and nobody overtakes them. A record that is split enters with
    its first bytes; a reader that takes it then takes the rest directly from its writer, which waits no more.
    """

    def __init__(self, simulation: Interpreter, row: Pipe) -> None:
        self.simulation, self.row = simulation, row
        self.queues: list[deque[Record]] = [deque() for _ in range(row.classes)]
        self.writers: deque[Server] = deque()
        self.slots = SlotPipe((row.capacity or PAGE) // PAGE) if row.unit == "pages" else None
        self.open = 0
        """How many stations may still write into it."""
        self.gone = False
        """Whether its reader has ended: what is written into it is lost."""
        self.level = 0
        """Records inside, or bytes where the capacity is in bytes or pages."""
        self.claimed = 0
        """Places that writers have claimed before their service."""
        self.area = self.since = 0.0
        """The integral of the level over time, until `since`."""

    @property
    def head(self) -> Record | None:
        """The record that is next: of the lowest class, the one that came first."""
        for queue in self.queues:
            if queue:
                return queue[0]
        return None

    @property
    def head_class(self) -> int:
        """The class of the head; there must be one."""
        return next(number for number, queue in enumerate(self.queues) if queue)

    @property
    def over(self) -> bool:
        """Whether nothing is inside and nothing will come."""
        return self.open <= 0 and self.head is None

    def offer(self, server: Server, record: Record) -> bool:
        """Put a record in; where there is no room, the server joins those that wait, and this is False."""
        record.left = record.size
        if not self.writers and self._push(server, record):
            return True
        self.writers.append(server)
        return False

    def fits(self, size: int) -> bool:
        """Whether a whole record has room; one that is larger than the pipe has it when the pipe is empty."""
        used, capacity = self.level + self.claimed, self.row.capacity
        if capacity is None:
            return True
        return used < capacity if self.row.unit == "records" else used == 0 or used + size <= capacity

    def claim(self, server: Server, record: Record) -> bool:
        """Claim the place of a record that is still to be served; False: the server waits for it."""
        if self.gone:
            return True
        if not self.writers and self.fits(record.size):
            self.claimed += self._places(record.size)
            return True
        self.writers.append(server)
        return False

    def fill(self, server: Server, record: Record) -> None:
        """Put a record into the place that was claimed for it."""
        self.claimed -= self._places(record.size)
        record.left = 0
        self._change(self._places(record.size))
        self._enter(record)
        self.simulation.departed(server, record, self)

    def take(self) -> Record:
        """Take the head out, and let in those that wait as far as there is room now."""
        queue = next(queue for queue in self.queues if queue)
        record = queue.popleft()
        if self.row.unit == "records":
            self._change(-1 if self.row.capacity != 0 else 0)
        else:
            self._change(record.left - record.size)
            if self.slots is not None:
                self.slots.read(record.size - record.left)
        if record.left > 0:
            record.left = 0
            writer = self.writers.popleft()
            self.simulation.departed(writer, record, self)
            writer.call()
        self._admit()
        return record

    def abandon(self) -> None:
        """The reader has ended: what is inside is lost, and those who wait for room learn it."""
        if self.gone:
            return
        self.gone = True
        reader, writer = (self.simulation.stations[place] for place in (self.row.downstream, self.row.upstream))
        writer.unread += 1
        for record in (record for queue in self.queues for record in queue):
            if record.left == 0:  # else whoever writes it still has it
                record.vanish()
                reader.lost += 1
                self.simulation.loop_gives_up(reader.number, 1)
        for queue in self.queues:
            queue.clear()
        self._change(-self.level)
        while self.writers:
            server = self.writers.popleft()
            server.broken = not server.claiming
            server.call()

    def _admit(self) -> None:
        while self.writers and (self.slots is None or self.slots.free_slots > 0):
            writer = self.writers[0]
            if writer.claiming:
                if not self.fits(writer.hand.size):
                    break
                self.claimed += self._places(writer.hand.size)
            elif not self._push(writer, writer.hand):
                break
            self.writers.popleft()
            writer.call()

    def _push(self, server: Server, record: Record) -> bool:
        """Put in as much of a record as fits; whether all of it is in."""
        if self.row.capacity == 0:
            self._enter(record)  # the reader sees it, and takes it from the hand of its writer
            return False
        if self.slots is not None:
            done = self.slots.write(record.left)
        elif self.row.split and self.row.capacity is not None:
            done = min(record.left, max(0, self.row.capacity - self.level))
        else:
            done = record.left if self.fits(record.size) else 0
        if done == 0:
            return False
        first = record.left == record.size
        record.left -= done
        self._change(1 if self.row.unit == "records" else done)
        if first:
            self._enter(record)
        if record.left == 0:
            self.simulation.departed(server, record, self)
        return record.left == 0

    def _enter(self, record: Record) -> None:
        self.simulation.stamp += 1
        record.stamp = self.simulation.stamp
        record.rank = min(record.urgency, len(self.queues) - 1)
        self.queues[record.rank].append(record)
        self.simulation.stations[self.row.downstream].wake_one(record.rank)

    def _places(self, size: int) -> int:
        return 1 if self.row.unit == "records" else size

    def _change(self, by: int) -> None:
        now = self.simulation.clock.now
        self.area += self.level * (now - self.since)
        self.since = now
        self.level += by
