"""Answers that come too late, or are none: of a server, also one that has ended, and of a policy."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from streamsim.cli import outcome
from streamsim.errors import ControlError
from streamsim.loading import load
from streamsim.policies.base import Command, Observation, Policy
from streamsim.real.control import runs
from streamsim.real.control.client import Client, Silence
from streamsim.real.control.reach import Server
from streamsim.real.measure import Session
from tests.end_to_end.steering import NUMBERS, Witness, connected, running, without_end, witness
from tests.patience import PATIENCE_S, until


class Sevens(Policy, frozen=True, kw_only=True):
    """It gives what no policy gives."""

    asked: ClassVar[list[float]] = []

    def watched(self) -> tuple[str, ...]:
        return ("keep",)

    def decide(self, memory: Any, seen: Observation) -> tuple[Any, tuple[Command, ...]]:
        self.asked.append(seen.time_s)
        return 7  # type: ignore[return-value]


def test_a_policy_that_gives_something_else_is_told_what_it_has_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sevens, "asked", asked := [])
    monkeypatch.setattr(Witness, "satisfied", lambda _: asked)
    document = {
        "name": "odd",
        "sources": {"make": {"command": without_end(tmp_path), "rate": "5000 records/s"}},
        "stations": {"keep": {"operator": "filter", "where": "len(record) > 0"}},
        "sinks": {"nowhere": {}},
        "controllers": {
            "one": {"policy": f"{__name__}:Sevens", "period": "10 ms"},
            "two": witness(tmp_path),
        },
    }
    with Session(cores=1) as session:
        run = session.run_once(load(document, overrides={"host.cores": 1}))
    assert "controller 'one' was stopped: Sevens.decide gave 7, not (memory, (Command, ...))" in run.warnings


@contextmanager
def deaf(path: Path, *replies: bytes) -> Iterator[None]:
    """A server that answers the first request only when the second has come."""

    def serve() -> None:
        with listening.accept()[0] as one:
            asked = b""
            while asked.count(b"\n") < 2:
                asked += one.recv(65536)
            one.sendall(b"".join(replies))
            one.recv(1)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(PATIENCE_S)


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(tmp_path: Path) -> None:
    first, second = (b'{"jsonrpc":"2.0","id":%d,"result":%d}\n' % (number, 10 * number) for number in (1, 2))
    with deaf(tmp_path / "s", first, second), Client(tmp_path / "s", timeout_s=0.2) as client:
        with pytest.raises(Silence, match="no answer to state within"):
            client.call("state")
        client._socket.settimeout(PATIENCE_S)
        assert client.call("metrics") == 20


def test_a_server_inside_a_long_chunk_is_seen_through_shared_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs.tempfile, "tempdir", str(tmp_path))
    with running(tmp_path, NUMBERS) as (_, run):
        connected(run, "keep").call("state")
        with monkeypatch.context() as patch:
            patch.setattr(Client, "call", _silent)
            assert outcome(["ctl", "numbers", "keep", "watch", "records_in", "--times", "2", "--every", "0.01"]) == 0
            assert all(line.isdigit() for line in capsys.readouterr().out.split())
            assert outcome(["ctl", "numbers", "keep", "get", "where"]) == 1
        assert "no answer" in capsys.readouterr().err


def _silent(*_: Any) -> Any:
    raise Silence("no answer")


ENDS_FIRST = """
name = "numbers"
[sources.few]
operator = "generate"
count = 10
[stations.last]
command = "sh -c 'cat hold; cat'"
"""


def test_a_station_that_has_ended_while_others_go_on_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.tempfile, "tempdir", str(tmp_path))
    with running(tmp_path, ENDS_FIRST) as (_, run):
        assert until(lambda: not runs.alive(run.server("few")))
        with pytest.raises(ControlError, match="station 'few' has ended"):
            Server(run, run.server("few"))
