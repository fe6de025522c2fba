"""A source that releases its records at given times, whatever becomes of them afterwards.

The schedule is absolute, from the first release: a source that was held up releases all that has come due
meanwhile as one chunk, and is on time again. A visit's ``asked`` is when its first record was due, so that a
response time counted from there leaves no waiting out.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, islice
from time import monotonic, sleep

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from streamsim.operators.source import Source
    from streamsim.real.control.attention import Attention
    from streamsim.real.worker.alone import Inattention
    from streamsim.real.worker.fused import Part
    from streamsim.real.worker.outputs import Outputs
    from streamsim.real.worker.visits import Visits

_MOST_MARGIN_S = 200e-6
_LEAST_GAP_S = 50e-6
_LONG_S = 4e-3
"""A longer sleep can be interrupted by commands; those timers are no finer than a millisecond (epoll_wait(2))."""
_BLOCK_BYTES = 4096  # a large block would make what is due wait while its records are cut and dated


class Pace:
    """Says when records are due.

    ``rate`` is in ``unit`` ("records" or "bytes") per second. ``arrivals``: ``even`` gaps; ``poisson``:
    exponential ones; ``bursty``: two-phase hyper-exponential ones with balanced means and a squared coefficient of
    variation ``scv`` of at least 1 (Whitt 1982, https://doi.org/10.1287/opre.30.1.125, section 3.1); ``mmpp``:
    exponential ones at the rate of the state that it is in, ``states`` being pairs of a rate relative to the mean and
    a mean stay (s), passed through in a circle; ``trace``: the times (s since the start, ascending) in the file
    ``times``, one a line, at whose end the source ends. With a rate in bytes, the gap after a record is in proportion
    to its size.

    >>> Pace({"rate": 10.0}).due([1, 1, 1])
    [0.0, 0.1, 0.2]
    >>> Pace({"rate": 10.0, "unit": "bytes"}).due([5, 10, 1])
    [0.0, 0.5, 1.5]
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._arrivals = spec.get("arrivals") or "even"
        self.by_bytes = spec.get("unit") == "bytes"
        self._next = 0.0
        self._done = 0
        self._times: Iterator[float] | None = None
        self._factor: Callable[[], float] | None = None
        if self._arrivals == "trace":
            self._times = _read_times(spec["times"])
            return
        self._rate = float(spec["rate"])
        if self._arrivals != "even":
            from random import Random

            random = Random(spec.get("seed"))
            if self._arrivals == "mmpp":
                self._factor = _changing_factor(spec["states"], self._rate, random)
            else:
                self._factor = _gap_factor(self._arrivals, float(spec.get("scv") or 4.0), random)

    def due(self, sizes: Sequence[int]) -> list[float]:
        """Return when the next records, of these sizes in bytes, are due, in s after the start.

        Fewer than there are sizes where the times of a trace have come to their end.
        """
        if self._times is not None:
            return list(islice(self._times, len(sizes)))
        if self._factor is None and not self.by_bytes:
            first, self._done = self._done, self._done + len(sizes)
            return [place / self._rate for place in range(first, self._done)]  # exact: sums would drift
        weights = sizes if self.by_bytes else [1] * len(sizes)
        factor = self._factor
        gaps = [weight / self._rate * (factor() if factor else 1.0) for weight in weights]
        dues = list(accumulate(gaps, initial=self._next))
        self._next = dues.pop()
        return dues


def _gap_factor(arrivals: str, scv: float, random: Any) -> Callable[[], float]:
    """Return a function that draws gaps with mean 1."""
    from math import log

    draw = random.random
    if arrivals == "poisson":
        return lambda: -log(1.0 - draw())
    if arrivals != "bursty" or scv < 1:
        from streamsim.errors import ScenarioError

        raise ScenarioError(
            f"arrivals {arrivals!r} with scv {scv:g}; known: even, poisson, bursty (scv >= 1), mmpp, trace"
        )
    chance = (1 + ((scv - 1) / (scv + 1)) ** 0.5) / 2
    short, long = 1 / (2 * chance), 1 / (2 * (1 - chance))
    return lambda: -log(1.0 - draw()) * (short if draw() < chance else long)


def _changing_factor(states: Sequence[tuple[float, float]], rate: float, random: Any) -> Callable[[], float]:
    """Return a function that draws gaps with mean 1 of a load whose rate changes from state to state."""
    from math import log

    draw = random.random
    rates = [(share * rate, 1 / stay) for share, stay in states]
    (now,) = random.choices(range(len(states)), [share * stay for share, stay in states])

    def factor() -> float:
        nonlocal now
        gap: float = 0.0
        while True:
            coming, leaving = rates[now]
            gap -= log(1.0 - draw()) / (coming + leaving)
            if draw() * (coming + leaving) < coming:
                return float(gap * rate)
            now = (now + 1) % len(rates)

    return factor


def _read_times(path: str) -> Iterator[float]:
    before = 0.0
    with open(path, "rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                time = float(line)
            except ValueError:
                time = -1.0
            if not before <= time < float("inf"):
                from streamsim.errors import RunError

                text = line.decode("utf-8", "replace").strip()
                raise RunError(f"{path}: line {number}: {text!r} is no time of at least {before:g} s")
            before = time
            yield time


class Alarm:
    """Sleeps until a given time.

    Waking up takes 5 to 100 µs, so it sleeps that much less, as it learns it from each sleep, and spins the few
    microseconds that are left. What is due within 50 µs of the ring before waits for one short sleep: a source must
    not burn the core that the circuit needs, and what comes a little late comes together.
    """

    def __init__(self, attention: Attention | Inattention) -> None:
        self._listening: Any = attention if attention.listens else None
        self._margin = 50e-6
        self._rang = 0.0

    def wait(self, due: float) -> float:
        """Return when it rings, no sooner than ``due``; both are on the monotonic clock."""
        now = monotonic()
        if now < due or now - self._rang < _LEAST_GAP_S:
            if self._listening is not None and due - now > _LONG_S:
                self._listening.sleep(due - now - _LONG_S / 2)
                now = monotonic()
            wake = max(due - self._margin, now + 1e-6)
            sleep(wake - now)
            now = monotonic()
            self._margin = min(0.9 * self._margin + 0.1 * (now - wake), _MOST_MARGIN_S)
            while now < due:
                now = monotonic()
        self._rang = now
        return now

    def hurry(self) -> None:
        """Let the next ring follow the one before at once: what it gave may not have been all."""
        self._rang = 0.0


def sharpen_timer() -> None:
    """Ask Linux not to let sleeps last 50 µs longer, as it does to wake several sleepers at once."""
    try:
        with open("/proc/self/timerslack_ns", "w") as file:
            file.write("1")
    except OSError:
        pass  # another system: the margin of the alarm learns it


def pour_paced(
    source: Source,
    pace: Pace,
    outputs: Outputs | Part,
    visits: Visits,
    until: float | None,
    records: int | None,
    attention: Attention | Inattention,
) -> None:
    """Write the records of a source when they are due, until ``until`` on the monotonic clock.

    At a rate in bytes long lines are cut into pieces, each of which is due when its bytes are: data without newlines
    flow at that rate too.
    """
    source.block_bytes = _BLOCK_BYTES
    if pace.by_bytes and records is None:
        source.piece_bytes = _BLOCK_BYTES
    codec, alarm = source.codec, Alarm(attention)
    start: float | None = None
    for block in source.chunks() if records is None else source.records(records):
        batch = codec.split(block)
        sizes = [len(record) + codec.overhead for record in batch]
        if batch:
            sizes[-1] -= max(0, codec.size(batch) - len(block))  # nothing terminates the last record
        dues = pace.due(sizes)
        if start is None:
            start = monotonic()
        done = given = 0
        while done < len(dues):
            attention.rest()
            due = start + dues[done]
            if until is not None and max(due, monotonic()) >= until:
                alarm.wait(until)
                return
            got = alarm.wait(due)
            ready = max(bisect_right(dues, got - start, done), done + 1)
            chunk = codec.join(batch[done:ready])
            if len(chunk) > len(block) - given:
                chunk = block[given:]  # what nothing terminates stays so
            given += len(chunk)
            served = monotonic()
            try:
                outputs.send(chunk)
            finally:
                taken = source.fetch(len(chunk))
                made = ready - done - (source.continued and not done)
                visits.add(due, got, served, outputs.sent(), taken, outputs.written, made if taken else 0, made)
            attention.between()
            done = ready
        if len(dues) < len(batch):
            return
        alarm.hurry()  # the next block may hold more that has come due
