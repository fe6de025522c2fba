"""The warm parent: a process that has loaded what servers need, and forks one for each request.

Run as ``python -S -E -P streamsim/real/worker/parent.py NAME…`` with a SOCK_SEQPACKET socket as descriptor 0 and the
guardian's roll (guardian.py) as 1. It loads the operators of these names, and the libraries of those that are written
``module=PATH``, says ``ready``, answers every request with the id of a new process, or with why there is none. It ends
when the other side closes the socket.

A request is ``SPEC\\0ACTION…``: the argument of a worker (main.py) and, for each descriptor of the server, ``dN``
(the next of the descriptors that came with the request becomes N), ``rN`` or ``wN`` (N is /dev/null).

The servers are made by clone(2) with CLONE_PARENT: they are children of the runner, which waits for them as for those
that it started itself, and outlive this process. A server enters itself on the roll, which this process holds open,
so that there is no moment at which the guardian could miss one.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # see operators/base.py
if TYPE_CHECKING:
    from typing import Any

_CLONE_PARENT = 0x8000  # sched.h
_SIGCHLD = 17
_CLONE = {"x86_64": 56, "aarch64": 220, "riscv64": 220}
"""The number of clone(2), on the machines where its first argument are the flags and the others may be 0."""

MOST_DESCRIPTORS = 250
"""The kernel passes at most 253 with one message (SCM_MAX_FD, unix(7))."""

_REQUEST_BYTES = 65536


def able() -> bool:
    """Return whether servers can be forked on this machine."""
    return sys.platform == "linux" and os.uname().machine in _CLONE


def fork_sibling() -> int:
    """Fork a child of this process's parent; returns 0 in it and its id here. Raises OSError."""
    from ctypes import PyDLL, get_errno, pythonapi

    # Not by the C library, which gives no CLONE_PARENT. This process has one thread, so there is no lock to lose.
    syscall = PyDLL(None, use_errno=True).syscall
    pythonapi.PyOS_BeforeFork()
    pid: int = syscall(_CLONE[os.uname().machine], _CLONE_PARENT | _SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        pythonapi.PyOS_AfterFork_Child()
        return 0
    pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(get_errno(), os.strerror(get_errno()))
    return pid


def _serve(request: bytes, received: list[int]) -> None:
    """Be the server that a request describes; never returns."""
    status = 1
    try:
        os.write(1, b"+ %d\n" % os.getpid())
        spec, _, actions = request.decode().partition("\0")
        _arrange(actions.split(), received)
        _rename(spec)
        from streamsim.real.worker.loop import run_reporting

        status = run_reporting(spec)
    except BaseException as error:  # whatever it is, this process must not go on as a second parent
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(status)


def _arrange(actions: list[str], received: list[int]) -> None:
    """Put the descriptors in their places; the socket and the roll go with 0 and 1."""
    from fcntl import F_DUPFD_CLOEXEC, fcntl

    wanted = [int(action[1:]) for action in actions]
    floor = max((*wanted, 2)) + 1
    # First out of the way: one that stood where another is to be put would be lost.
    given = iter([fcntl(descriptor, F_DUPFD_CLOEXEC, floor) for descriptor in received])
    for descriptor in received:
        os.close(descriptor)
    for place in {0, 1} - set(wanted):
        actions = [*actions, f"{'rw'[place]}{place}"]
    for action in actions:
        place = int(action[1:])
        if action[0] == "d":
            held = next(given)
        else:
            held = os.open(os.devnull, os.O_RDONLY if action[0] == "r" else os.O_WRONLY)
        if held != place:
            os.dup2(held, place)
            os.close(held)


def _rename(spec: str) -> None:
    """Show the station's name in `ps` and `top`; its command line stays this process's."""
    from streamsim.real.worker.spec import read_spec

    with open("/proc/self/comm", "w") as file:
        file.write(str(read_spec(spec).get("name"))[:15])


_LOADED = (
    *("ctypes", "fcntl", "mmap", "select"),
    *(f"streamsim.real.worker.{part}" for part in ("fanout", "loop", "pacing", "pouring", "spec")),
    *(f"streamsim.real.control.{part}" for part in ("attention", "endpoint", "page")),
)


def _warm(names: list[str]) -> None:
    """Load what the servers will need: these operators, and what `_LOADED` names."""
    import gc

    from streamsim.operators import find
    from streamsim.operators._sketch_library import load

    for name in names:
        library, _, path = name.partition("=")
        if path:
            sys.path += [directory for directory in path.split(os.pathsep) if directory not in sys.path]
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # threads would not live through a fork
            if library == "datasketches":
                load()
            else:
                __import__(library)
        else:
            find(name)
    for module in _LOADED:
        __import__(module)
    gc.freeze()  # a collection in a server would write to, and so copy, the pages that all of them share


def main() -> None:
    """Fork servers until the socket is closed."""
    from streamsim.real.worker.main import die_quietly_by_interrupt

    die_quietly_by_interrupt()
    sockets: Any = __import__("_socket")  # the half of `socket` in C: 0.4 ms instead of 6
    socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_SEQPACKET, 0, 0)
    _warm(sys.argv[1:])
    socket.send(b"ready")
    space = sockets.CMSG_SPACE(4 * MOST_DESCRIPTORS)
    while True:
        request, messages, flags, _ = socket.recvmsg(_REQUEST_BYTES, space)
        if not request:
            os._exit(0)
        data = b"".join(content for _, _, content in messages)
        received = [int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, len(data), 4)]
        try:
            if flags & sockets.MSG_CTRUNC:  # the kernel could not give this process all of the descriptors
                raise OSError(24, os.strerror(24))
            pid = fork_sibling()
        except OSError as error:
            answer = str(error)
        else:
            if pid == 0:
                _serve(request, received)
            answer = str(pid)
        for descriptor in received:
            os.close(descriptor)
        socket.send(answer.encode())


if __name__ == "__main__":
    sys.path.insert(0, os.path.abspath(__file__).rsplit("/", 4)[0])  # noqa: PTH100
    main()
