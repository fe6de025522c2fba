"""The runner's side of the warm parent (worker/parent.py): servers are forked from one process that is ready.

A server that is started alone loads Python and the operators again: 20 ms of a core and 10 MiB. A forked one takes
2 ms and shares what all have. The parent itself costs what one server does, so it pays from the third server on.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from streamsim.errors import RunError
from streamsim.real import open_files
from streamsim.real.memory import keeping_memory
from streamsim.real.plan import Process
from streamsim.real.worker.parent import MOST_DESCRIPTORS, able

Action = tuple[int, int, int] | tuple[int, int, str, int, int]
"""A file action of posix_spawn: a descriptor to be put in another's place, or /dev/null to be opened."""

WARM_FROM = 3
"""One or two are up sooner by themselves, on cores of their own."""

_PARENT = str(Path(__file__).with_name("worker") / "parent.py")
_PATIENCE_S = 20.0


def forkable(process: Process) -> bool:
    """Return whether a server may be forked: it wants no other environment and no modules of the site."""
    spec = process.spec
    few = len(process.reads) + len(process.writes) < MOST_DESCRIPTORS
    return spec is not None and not spec["site"] and not process.environment and few


def worth_it(processes: Sequence[Process]) -> bool:
    """Return whether a plan has enough servers of ours for a warm parent."""
    return able() and sum(map(forkable, processes)) >= WARM_FROM


_WITHOUT_THREADS = frozenset(["numpy", "datasketches", "xxhash", "rbloom", "zstandard", "msgpack"])
"""Libraries that can be loaded before a fork: they have no threads of their own (numpy when BLAS is told so)."""


def _shared(specs: Sequence[dict[str, Any]]) -> list[str]:
    """Return what the parent is told of libraries that so many servers need that it should load them: ``module=path``.

    >>> one = {"libraries": ["numpy"], "path": ["/site"]}
    >>> _shared([one, one, one]), _shared([one])
    (['numpy=/site'], [])
    """
    counts: dict[str, int] = {}
    for spec in specs:
        for module in spec.get("libraries", ()) if not spec.get("site") else ():
            if module in _WITHOUT_THREADS:
                counts[module] = counts.get(module, 0) + 1
    paths = dict.fromkeys(directory for spec in specs for directory in spec["path"] if not spec.get("site"))
    return [f"{module}={os.pathsep.join(paths)}" for module, count in counts.items() if count >= WARM_FROM]


class WarmParent:
    """A warm parent, started and ready; leaving the block ends and reaps it. What it forked stays.

    ``cpu_s`` is what it used, when it has ended (core-seconds).

    Parameters
    ----------
    processes : those of the plan; the operators of the forkable ones are loaded beforehand.
    group : the process group that it, and so every server, joins.
    roll : the descriptor on which the guardian is told of processes.
    signals : those that a server must not ignore.
    environment : that of every server.

    Raises RunError where it does not come up.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        group: int,
        roll: int,
        signals: Sequence[int],
        environment: Mapping[str, str],
    ) -> None:
        specs = [process.spec for process in processes if process.spec is not None and forkable(process)]
        names = dict.fromkeys(str(one["operator"]) for spec in specs for one in (spec, *spec.get("fused", ())))
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(_PATIENCE_S)
        self.cpu_s = 0.0
        with theirs:
            actions = [
                (os.POSIX_SPAWN_DUP2, theirs.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, roll, 1),
            ]
            arguments = [sys.executable, "-S", "-E", "-P", _PARENT, *names, *_shared(specs)]
            self._pid = open_files.spawn(sys.executable, arguments, keeping_memory(environment), file_actions=actions,
                                         setpgroup=group, setsigmask=(), setsigdef=signals)  # fmt: skip

    def __enter__(self) -> WarmParent:
        try:
            self._answer()
        except BaseException:
            self.close()
            raise
        return self

    def fork(self, spec: str, actions: Sequence[Action]) -> int:
        """Return the id of a new server, a child of ours; ``spec`` is the worker's argument."""
        words, held = [], []
        for action in actions:
            if len(action) == 3:
                held.append(action[1])
                words.append(f"d{action[2]}")
            else:  # of /dev/null, the only file that is opened by its name
                words.append(f"{'w' if action[3] & os.O_WRONLY else 'r'}{action[1]}")
        socket.send_fds(self._socket, [f"{spec}\0{' '.join(words)}".encode()], held)
        answer = self._answer()
        if not answer.isdigit():
            raise RunError(f"the parent of all servers cannot fork: {answer}")
        return int(answer)

    def _answer(self) -> str:
        with suppress(OSError):
            answer = self._socket.recv(4096)
            if answer:
                return answer.decode()
        raise RunError(f"the parent of all servers has ended, or said nothing for {_PATIENCE_S:.0f} s")

    def close(self) -> None:
        """End it, and wait for that; what it forked meanwhile, without our having heard of it, ends too."""
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._pid, signal.SIGKILL)  # it only waits for us, and has nothing to tidy up
            _, _, usage = os.wait4(self._pid, 0)
            self.cpu_s = usage.ru_utime + usage.ru_stime
        with self._socket, suppress(OSError):
            while (answer := self._socket.recv(4096, socket.MSG_DONTWAIT)).isdigit():
                os.kill(int(answer), signal.SIGKILL)
                os.waitpid(int(answer), 0)

    def __exit__(self, *_: object) -> None:
        self.close()
