"""What a source's server does: write what the source has, as fast as it is taken or at a pace."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from streamsim.operators.source import Source
    from streamsim.real.control.attention import Attention
    from streamsim.real.worker.alone import Inattention
    from streamsim.real.worker.fused import Part
    from streamsim.real.worker.outputs import Outputs
    from streamsim.real.worker.visits import Visits


def serve_source(
    source: Source,
    spec: Mapping[str, Any],
    descriptor: int,
    outputs: Outputs | Part,
    visits: Visits,
    attention: Attention | Inattention,
) -> None:
    """Let a source write what it has, at the pace and until the end that its specification (main.py) says."""
    source.input, source.read = descriptor, attention.read
    if spec.get("inputs"):
        source.read = _counted(source, attention.read)
    duration, records, pace = spec.get("until_s"), spec.get("records"), spec.get("pace")
    until = None if duration is None else monotonic() + duration
    source.deadline = until
    if pace is None:
        pour(source, outputs, visits, until, records, attention)
    else:
        from streamsim.real.worker.pacing import Pace, pour_paced, sharpen_timer

        sharpen_timer()
        # Two sources of one seed must not release their records at the same moments.
        seed = f"{pace.get('seed')}/{spec.get('name')}"
        pour_paced(source, Pace({**pace, "seed": seed}), outputs, visits, until, records, attention)


def _counted(source: Source, read: Callable[[int, int], bytes]) -> Callable[[int, int], bytes]:
    def counting(descriptor: int, size: int) -> bytes:
        chunk = read(descriptor, size)
        source.taken += len(chunk)
        return chunk

    return counting


def pour(
    source: Source,
    outputs: Outputs | Part,
    visits: Visits,
    until: float | None,
    records: int | None,
    attention: Attention | Inattention,
) -> None:
    """Write all that a source has, as fast as it is taken; ``until`` is on the monotonic clock.

    A source waits for nobody, so a visit is asked and got at once. It takes bytes only where a command feeds it, and
    then gives every record that it takes.
    """
    whole = source.stream() if until is None else source.chunks()
    chunks = whole if records is None else source.records(records)
    while until is None or monotonic() < until:
        attention.rest()
        asked, before = monotonic(), source.records_out
        chunk = next(chunks, b"")
        served = monotonic()
        if not chunk and source.records_out == before:
            break
        try:
            outputs.send(chunk)
        finally:  # an empty chunk: the end made a record of the unterminated line that was sent before
            made = source.records_out - before
            taken = source.fetch()
            visits.add(asked, asked, served, outputs.sent(), taken, outputs.written, made if taken else 0, made)
        attention.between()
