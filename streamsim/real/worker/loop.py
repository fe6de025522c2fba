"""What a server does all its life: read, work, write, note the visit; and how it ends (see main.py)."""

from __future__ import annotations

import os
import sys
from time import monotonic

from streamsim.operators import create
from streamsim.operators.base import Operator
from streamsim.real.worker.alone import Inattention
from streamsim.real.worker.outputs import Outputs
from streamsim.real.worker.reports import report_course, report_rejects
from streamsim.real.worker.visits import Visits

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from streamsim.operators.source import Source
    from streamsim.real.control.attention import Attention
    from streamsim.real.worker.fused import Part

# The module behind `signal`: the interpreter has loaded it already, `signal` itself costs 5 ms for its enumerations.
_signal: Any = sys.modules.get("_signal") or __import__("signal")


class Terminated(BaseException):
    """A signal came that asks to end: its argument."""


class Server:
    """An operator between its inputs and outputs."""

    def __init__(
        self, operator: Operator, outputs: Outputs | Part, visits: Visits, attention: Attention | Inattention
    ) -> None:
        self.operator, self.outputs, self.visits, self.attention = operator, outputs, visits, attention
        self.in_pieces = type(self) is Server
        """Whether it may look for commands inside a long chunk: all that it does with one is `feed`."""
        self.piece_bytes = 8192
        """How much it works on before it looks for commands, while somebody may have some."""

    def serve(self, inputs: Sequence[int], read_bytes: int) -> None:
        """Read until all inputs have ended, then finish."""
        self._finish(*(self._one(inputs[0], read_bytes) if len(inputs) == 1 else self._several(inputs, read_bytes)))

    def _finish(self, asked: float, got: float) -> None:
        self._keep_last()
        operator = self.operator
        before = operator.records_in, operator.records_out
        self._give(operator.finish(), asked, got, 0, before)

    def _keep_last(self) -> None:
        """Do what is due where the input has ended."""
        if self.attention.appointments:
            from streamsim.real.control.appointments import at_the_end

            at_the_end(self.attention, self)

    def _one(self, descriptor: int, read_bytes: int) -> tuple[float, float]:
        read, between = self.attention.read, self.attention.between
        if type(self) is Server and not self.visits.wanted and isinstance(self.attention, Inattention):
            feed, send = self.operator.feed, self.outputs.send
            while chunk := read(descriptor, read_bytes):  # nobody looks: no clock is read
                send(feed(chunk))
            return 0.0, 0.0
        attention, plain = self.attention, type(self) is Server and not self.visits.wanted
        while True:
            asked = monotonic()
            chunk = read(descriptor, read_bytes)
            got = monotonic()
            if not chunk:
                return asked, got
            if plain and not (attention.appointments or (attention.alert and self._is_long(chunk))):
                self.outputs.send(self.operator.feed(chunk))
            else:
                self._take(chunk, 0, asked, got)
            between()

    def _several(self, inputs: Sequence[int], read_bytes: int) -> tuple[float, float]:
        """Take one chunk of each input that has some, in turn, so that none of them is left waiting."""
        attention = self.attention
        ports = {descriptor: port for port, descriptor in enumerate(inputs)}
        asked = got = monotonic()
        while ports:
            asked = monotonic()
            held = attention.held
            for descriptor in attention.ready([one for one in ports if ports[one] not in held] if held else ports):
                chunk = attention.read(descriptor, read_bytes)
                got = monotonic()
                if chunk:
                    self.visits.tally(ports[descriptor], len(chunk))
                    self._take(chunk, ports[descriptor], asked, got)
                    asked = monotonic()
                    attention.between()
                else:
                    attention.ended(self, ports.pop(descriptor))
                if attention.freed:
                    self._take_freed(asked, got)
        return asked, got

    def _take_freed(self, asked: float, got: float) -> None:
        """Take what was held back behind a marker that has come by all inputs now."""
        attention = self.attention
        while attention.freed:
            port, chunk = attention.freed.pop(0)
            attention.moved(len(chunk), 0)
            if chunk:
                self._take(chunk, port, asked, got)

    def _take(self, chunk: bytes, port: int, asked: float, got: float) -> None:
        if self.attention.appointments:
            from streamsim.real.control.appointments import pieces

            for piece in pieces(self.attention, self, chunk, port):
                self._work(piece, port, asked, got)
        elif self.attention.alert and self.in_pieces and self._is_long(chunk):
            from streamsim.real.control.piecemeal import work

            work(self, chunk, port, asked, got)
        else:
            self._work(chunk, port, asked, got)

    def _is_long(self, chunk: bytes) -> bool:
        """Whether it takes long to work on a chunk; now and then that is found out anew."""
        return len(chunk) > self.piece_bytes or not self.attention.chunks & 63

    def _work(self, chunk: bytes, port: int, asked: float, got: float) -> None:
        operator = self.operator
        before = operator.records_in, operator.records_out
        self._give(operator.feed(chunk, port), asked, got, len(chunk), before)

    def _give(self, data: Any, asked: float, got: float, taken: int, before: tuple[int, int]) -> None:
        served = monotonic()
        operator, outputs = self.operator, self.outputs
        try:
            outputs.send(data)
        finally:  # also the visit during which the last reader went
            records_in, records_out = operator.records_in - before[0], operator.records_out - before[1]
            self.visits.add(asked, got, served, outputs.sent(), taken, outputs.written, records_in, records_out)


def run(spec: Mapping[str, Any]) -> None:
    """Run a server to its end. What is wrong is raised as StreamsimError; a signal ends the process."""
    visits = Visits(spec.get("visits"))
    try:
        _work(spec, visits)
    except BrokenPipeError:
        _die(_signal.SIGPIPE, visits)
    except KeyboardInterrupt:
        _die(_signal.SIGINT, visits)
    except Terminated as asked:
        _die(asked.args[0], visits)
    except OSError as error:
        from streamsim.errors import RunError

        where = f"{error.filename}: " if error.filename else ""
        raise RunError(f"{where}{error.strerror or error}") from None
    finally:
        visits.flush()


def _work(spec: Mapping[str, Any], visits: Visits) -> None:
    operator = create(
        spec["operator"],
        spec.get("parameters") or {},
        spec.get("format") or "lines",
        on_error=spec.get("on_error") or "fail",
        dead_letter=spec.get("dead_letter"),
    )
    operator.counting = visits.wanted
    inputs: Sequence[int] = spec.get("inputs") or (0,)
    descriptors: Sequence[int] = spec.get("outputs", (1,))
    attention = _listen(spec, inputs, descriptors) if spec.get("control") else Inattention()
    outputs = _outputs(spec, Outputs(descriptors, attention), visits)
    holder: Server | Fixed | None = None
    try:
        holder = (
            _server(operator, outputs, visits, attention, spec) if isinstance(operator, Operator) else Fixed(operator)
        )
        attention.serve_for(holder)
        if not isinstance(outputs, Outputs):
            attention.share(outputs.chained(spec["fused"]))
        if isinstance(holder, Server):
            holder.serve(inputs, spec.get("read_bytes") or 65536)
            operator, outputs = holder.operator, holder.outputs  # a command may have put another operator there
        else:
            from streamsim.real.worker.pouring import serve_source

            serve_source(holder.operator, spec, inputs[0], outputs, visits, attention)
        if operator.rejects.count:
            report_rejects(operator.rejects, spec)
        if operator.course and visits.wanted:
            report_course(operator.course, spec)
        outputs.close()
    except BaseException:
        (operator if holder is None else holder.operator).abandon()
        for _, part in () if isinstance(outputs, Outputs) else outputs.chained(spec["fused"]):
            part.operator.abandon()
        raise
    finally:
        attention.close()


def _outputs(spec: Mapping[str, Any], outputs: Outputs, visits: Visits) -> Outputs | Part:
    if not spec.get("fused"):
        return outputs
    from streamsim.real.worker.fused import fuse

    return fuse(spec["fused"], outputs, visits, spec.get("visits"))


def _server(
    operator: Operator,
    outputs: Outputs | Part,
    visits: Visits,
    attention: Attention | Inattention,
    spec: Mapping[str, Any],
) -> Server:
    if spec.get("batches"):
        from streamsim.real.worker.batches import batched

        return batched(spec["batches"], operator, groups_of(spec), visits, attention, outputs)
    if operator.shape or spec.get("circle"):
        from streamsim.real.worker.shapes import shaped

        return shaped(operator, spec, visits, attention)
    if not operator.passes or len(outputs.open) < 2 or not isinstance(outputs, Outputs):
        return Server(operator, outputs, visits, attention)
    from streamsim.real.worker.fanout import Fanout

    return Fanout(operator, outputs, visits, attention)


def groups_of(spec: Mapping[str, Any]) -> Sequence[Sequence[int]]:
    """Return the descriptors of each output of a server: one set where all outputs get the same."""
    groups: Sequence[Sequence[int]] = spec.get("routes") or [spec.get("outputs", (1,))]
    return groups


class Fixed:
    """Holds the operator of a server that has the same one all its life."""

    def __init__(self, operator: Source) -> None:
        self.operator = operator


def _listen(spec: Mapping[str, Any], inputs: Sequence[int], outputs: Sequence[int]) -> Attention:
    """Open the control channel; its pipe ends get descriptions of their own."""
    from streamsim.real.control.attention import Attention

    attention = Attention(spec)
    attention.adopt(inputs, outputs)
    if spec["control"].get("commands"):
        attention.expect(spec["control"]["commands"])
    return attention


def run_reporting(text: str) -> int:
    """Run the server that a JSON text describes; return its exit status, having written one line if it failed."""
    name = "worker"
    try:
        _signal.signal(_signal.SIGTERM, _terminate)
        if _signal.getsignal(_signal.SIGINT) is _signal.SIG_DFL:  # main.py set it; ignored stays ignored
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        from streamsim.real.worker.spec import read_spec

        spec = read_spec(text)
        name = spec.get("name") or spec["operator"]
        sys.path += spec.get("path") or []
        if spec.get("path") and not spec.get("site"):
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that nothing here uses
        if spec.get("site"):
            import site

            site.main()
        run(spec)
        return 0
    except Terminated:  # before it began to work, or when it had just ended
        _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
        os.kill(os.getpid(), _signal.SIGTERM)
        return 143  # the signal is blocked: end as a shell reports it
    except MemoryError:
        message = "out of memory"
    except Exception as error:  # whatever it is, the user gets one line that says which server and why
        message = _message(error)
        name = next(iter(getattr(error, "__notes__", ())), name)  # which of several operators (fused.py)
    os.write(2, f"{name}: {' '.join(message.split())}\n".encode())
    return 1


def _message(error: Exception) -> str:
    from streamsim.errors import StreamsimError

    return str(error) if isinstance(error, StreamsimError) else f"{type(error).__name__}: {error}"


def end_tidily() -> None:
    """Let SIGTERM, and the end of the terminal, find this process ready to take away what is half done."""
    for number in (_signal.SIGTERM, _signal.SIGHUP):
        if _signal.getsignal(number) is _signal.SIG_DFL:  # ignored, as by nohup, it stays
            _signal.signal(number, _terminate)


def _terminate(number: int, frame: object) -> None:
    raise Terminated(number)


def _die(number: int, visits: Visits) -> None:
    """End this process by a signal, as if it had never been caught."""
    visits.flush()
    _signal.signal(number, _signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # the signal is blocked: end as a shell reports it
