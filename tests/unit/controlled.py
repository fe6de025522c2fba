"""A server of ours with its control channel, started alone: what the tests of control stand on."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from streamsim.errors import ControlError
from streamsim.real.control.client import Client
from streamsim.real.control.page import Reader
from streamsim.real.control.runs import control_paths
from streamsim.real.plan import WORKER
from streamsim.real.rousing import Rousing
from tests.patience import PATIENCE_S


@dataclass
class Running:
    """The process, its directory, and how to ask it."""

    process: subprocess.Popen[bytes]
    directory: Path

    @property
    def socket(self) -> Path:
        return self.directory / "0.socket"

    def client(self, timeout_s: float = PATIENCE_S) -> Client:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return Client(self.socket, timeout_s=timeout_s)
            except ControlError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.005)

    def page(self) -> Reader:
        return Reader(str(self.directory / "0.page"))

    def wait_for(self, condition: Any, what: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until, what
            time.sleep(0.002)


@contextmanager
def server(
    directory: Path,
    operator: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    stdin: Any = subprocess.PIPE,
    stdout: Any = subprocess.PIPE,
    visits: bool = True,
    roused: bool = True,
    **more: Any,
) -> Iterator[Running]:
    """Run one server; it is killed at the end of the block if it has not ended by then.

    It is ``roused``, as its runner would do, if it may have missed that somebody asked (real/rousing.py).
    """
    directory.mkdir(mode=0o700, exist_ok=True)
    spec = {
        "name": "here",
        "operator": operator,
        "parameters": dict(parameters or {}),
        "control": control_paths(directory, 0),
        "visits": str(directory / "visits") if visits else None,
        **more,
    }
    process = subprocess.Popen(
        [sys.executable, "-S", "-E", "-P", WORKER, json.dumps(spec)], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE
    )
    running, over = Running(process, directory), threading.Event()
    rousing = threading.Thread(target=_rouse, args=(running, over))
    if roused:
        rousing.start()
    try:
        yield running
    finally:
        over.set()
        if roused:
            rousing.join()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def _rouse(running: Running, over: threading.Event) -> None:
    rouser, process = Rousing(), running.process
    while not over.wait(0.2):
        child = SimpleNamespace(status=process.returncode, page=str(running.directory / "0.page"), pid=process.pid)
        rouser.look([cast("Any", child)])
