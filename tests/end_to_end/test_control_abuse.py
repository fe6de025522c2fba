"""Whatever clients do, the data flows, the memory stays bounded, and the next client is served."""

from __future__ import annotations

import json
import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from streamsim.errors import ControlError
from streamsim.real import rousing
from streamsim.real.control import runs
from streamsim.real.control.client import Client, Silence
from streamsim.real.control.endpoint import MOST_BYTES, MOST_CLIENTS
from streamsim.real.control.page import RUNNING
from streamsim.real.procfs import born
from tests.patience import PATIENCE_S
from tests.unit.controlled import Running, server


@contextmanager
def busy(tmp_path: Path) -> Iterator[Running]:
    """A server that copies nothing but zeros, without end."""
    with (
        open("/dev/zero", "rb") as zero,
        open("/dev/null", "wb") as null,
        server(tmp_path / "run", "copy", stdin=zero, stdout=null, visits=False) as running,
    ):
        with running.client() as client:
            client.call("metrics")
        yield running


def connect(running: Running) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    one.connect(str(running.socket))  # blocking: waits where too many knock at once
    one.settimeout(PATIENCE_S)
    return one


def resident(running: Running) -> int:
    """Return its resident memory in bytes."""
    return int(Path(f"/proc/{running.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def still_well(running: Running, before: int) -> None:
    """A new client is answered, bytes move, and memory has not grown by more than a few MiB."""
    with running.client() as client:
        first = client.call("metrics")["bytes_in"]
        running.wait_for(lambda: client.call("metrics")["bytes_in"] > first, "the data stands still")
    assert resident(running) - before < 8 << 20
    assert running.process.poll() is None


def large(running: Running) -> None:
    """A request of 64 MB."""
    with connect(running) as one, suppress(OSError):
        for _ in range(1024):
            one.sendall(b" " + b'{"x":"' + b"y" * 65000)


def large_by_http(running: Running) -> None:
    with connect(running) as one, suppress(OSError):
        one.sendall(b"POST /rpc HTTP/1.1\r\nContent-Length: 67108864\r\n\r\n")
        assert one.recv(1000).startswith(b"HTTP/1.1 413 ")


def thousand(running: Running) -> None:
    """A thousand connections, all open at once as far as they are let."""
    with ExitStack() as stack:
        for _ in range(1000):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.settimeout(PATIENCE_S)
            with suppress(OSError):
                one.connect(str(running.socket))
        with running.client() as client:
            assert client.call("metrics")["paused"] is False


def slow(running: Running) -> None:
    """Two hundred clients who never finish their sentence."""
    with ExitStack() as stack:
        ones = []
        for _ in range(200):
            one = stack.enter_context(connect(running))
            with suppress(OSError):
                one.sendall(b'{"jsonrpc":')
            ones.append(one)
        with running.client() as client:
            for _ in range(50):
                client.call("metrics")
        for one in ones:
            with suppress(OSError):
                one.sendall(b'"2.0"')


def malformed(running: Running) -> None:
    texts = [
        b"{\n",
        b'{"a":\n',
        b"[1,2\n",
        b"\x00\xff{\n",
        b"GET\r\n\r\n",
        b'"x"\n',
        b"{}\n",
        b"POST /rpc HTTP/1.1\r\n\r\n",
    ]
    for text in texts:
        with connect(running) as one, suppress(OSError):
            one.sendall(text)
            one.shutdown(socket.SHUT_WR)
            one.recv(1000)


def wrong_types(running: Running) -> None:
    with running.client() as client:
        for method, parameters in (
            ("at", {"method": 3}),
            ("pause", {"x": 1}),
            ("snapshot", {"file": None}),
            ("swap", []),
        ):
            with pytest.raises(ControlError):
                client.call(method, parameters)  # type: ignore[arg-type]


def unknown(running: Running) -> None:
    with running.client() as client:
        for method in ("", "_place", "__init__", "metrics.__call__", "x" * 10_000):
            with pytest.raises(ControlError, match="there is no method"):
                client.call(method)


def nested(running: Running) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        with connect(running) as one:
            depth = 10_000
            one.sendall(opening * depth + b"1" + closing * depth + b"\n")
            assert json.loads(one.makefile("rb").readline())["error"]["code"] in (-32600, -32700)


def deaf(running: Running) -> None:
    """A client that asks and asks and never reads."""
    with connect(running) as one, suppress(OSError):
        one.settimeout(0.5)
        for _ in range(20_000):
            one.sendall(b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n')


def hasty(running: Running) -> None:
    """A client that hangs up before its answer comes."""
    for _ in range(200):
        with connect(running) as one, suppress(OSError):
            one.sendall(b'{"jsonrpc":"2.0","id":1,"method":"metrics"}\n')


ABUSES = [large, large_by_http, thousand, slow, malformed, wrong_types, unknown, nested, deaf, hasty]


@pytest.mark.parametrize("abuse", ABUSES, ids=lambda abuse: abuse.__name__)
def test_abuse_leaves_a_server_as_it_was(tmp_path: Path, abuse: Callable[[Running], None]) -> None:
    with busy(tmp_path) as running:
        before = resident(running)
        abuse(running)
        still_well(running, before)


def test_a_new_client_takes_the_place_of_the_one_that_was_silent_longest(tmp_path: Path) -> None:
    with busy(tmp_path) as running, ExitStack() as stack:
        clients = [stack.enter_context(running.client()) for _ in range(MOST_CLIENTS)]
        for client in clients[1:]:
            client.call("metrics")
        newest = stack.enter_context(running.client())
        assert newest.call("metrics")["pid"] == running.process.pid
        with pytest.raises(ControlError, match=r"has (gone|ended)"):
            clients[0].call("metrics")
        assert clients[-1].call("metrics")["paused"] is False


def test_a_server_out_of_descriptors_lets_the_newest_client_in(tmp_path: Path) -> None:
    with busy(tmp_path) as running, ExitStack() as stack:
        first = stack.enter_context(running.client())
        first.call("resume")  # so that it has opened what it will ever need
        held = {int(path.name) for path in Path(f"/proc/{running.process.pid}/fd").iterdir()}
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (max(held) + 3, max(held) + 3))
        for _ in range(10):
            assert stack.enter_context(running.client()).call("metrics")["paused"] is False
        with pytest.raises(ControlError, match=r"has (gone|ended)"):
            first.call("metrics")


def test_a_request_may_have_just_so_many_bytes(tmp_path: Path) -> None:
    with busy(tmp_path) as running, running.client() as client:
        empty = len(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "x", "params": {"a": ""}}, separators=(",", ":")))
        for size, message in ((MOST_BYTES - empty, "no method"), (MOST_BYTES - empty + 1, "at most 65536 bytes")):
            with running.client() as client, pytest.raises(ControlError, match=message):
                client.call("x", {"a": "y" * size})


def curl(running: Running, *arguments: str) -> bytes:
    command = ["curl", "-s", "-i", "--max-time", f"{PATIENCE_S}", "--unix-socket", str(running.socket), *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.skipif(not any(Path(p, "curl").exists() for p in os.get_exec_path()), reason="there is no curl here")
def test_curl_gets_the_document_and_calls_methods(tmp_path: Path) -> None:
    with busy(tmp_path) as running:
        head, _, body = curl(running, "http://localhost/openrpc.json").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert json.loads(body)["openrpc"] == "1.3.2"
        request = '{"jsonrpc": "2.0", "id": 5, "method": "pause"}'
        _, _, body = curl(running, "http://localhost/rpc", "--data", request).partition(b"\r\n\r\n")
        assert json.loads(body) == {"jsonrpc": "2.0", "id": 5, "result": True}
        for path, status in (("/", b"404"), ("/rpc", b"405"), ("/../etc/passwd", b"404")):
            assert curl(running, f"http://localhost{path}").split(b" ")[1] == status
        assert (
            curl(running, "http://localhost/rpc", "-H", "Origin: http://evil", "-d", request).split(b" ")[1] == b"403"
        )


ASKED = b'{"jsonrpc":"2.0","id":%d,"method":"metrics"}'


def heard(one: socket.socket) -> bytes:
    """Return all that a server says until it hangs up."""
    one.shutdown(socket.SHUT_WR)
    return b"".join(iter(lambda: one.recv(65536), b""))


def test_requests_that_come_at_once_are_answered_one_after_the_other(tmp_path: Path) -> None:
    with busy(tmp_path) as running:
        with connect(running) as one:
            one.sendall(b"".join(ASKED % number + b"\n" for number in range(20)))
            found = one.makefile("rb")
            assert [json.loads(found.readline())["id"] for _ in range(20)] == list(range(20))
        with connect(running) as one:
            for number in range(5):
                body = ASKED % number
                one.sendall(b"POST /rpc HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            found = one.makefile("rb")
            for number in range(5):
                assert found.readline() == b"HTTP/1.1 200 OK\r\n"
                head = [found.readline() for _ in range(3)]
                assert json.loads(found.read(int(head[1].split()[1])))["id"] == number


def test_a_last_line_without_an_end_is_answered(tmp_path: Path) -> None:
    with busy(tmp_path) as running:
        for text, numbers in ((ASKED % 1, [1]), (ASKED % 1 + b"\n" + ASKED % 2, [1, 2]), (b"", [])):
            with connect(running) as one:
                one.sendall(text)
                assert [json.loads(line)["id"] for line in heard(one).splitlines()] == numbers


def test_a_request_with_two_lengths_is_refused(tmp_path: Path) -> None:
    with busy(tmp_path) as running:
        for first, second, status in ((40, 40, b"200"), (40, 41, b"400")):
            with connect(running) as one:
                body = (ASKED % 1).ljust(40)
                one.sendall(
                    b"POST /rpc HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\nContent-Length: %d\r\n\r\n%s"
                    % (first, second, body)
                )
                assert heard(one).split(b" ")[1] == status


def test_nobody_else_gets_in(tmp_path: Path) -> None:
    with busy(tmp_path) as running:
        assert stat.S_IMODE(running.directory.stat().st_mode) == 0o700
        for name in ("0.socket", "0.page"):
            assert stat.S_IMODE((running.directory / name).stat().st_mode) == 0o600
        link = tmp_path / "link"
        link.symlink_to(running.directory)
        with pytest.raises(ControlError):
            Client(link / "0.socket")


def test_whoever_knocks_while_nothing_moves_is_heard(tmp_path: Path) -> None:
    """The pipe ends block while nobody asks: a call that sleeps in one of them must end when somebody does."""
    with server(tmp_path / "run", "copy", roused=False) as running:
        given, wchan = running.process.stdin, Path(f"/proc/{running.process.pid}/wchan")
        assert given is not None

        def blocks() -> bool:
            os.write(given.fileno(), b"x\n")  # between two chunks it finds that nobody asks any more
            return "pipe_read" in wchan.read_text()

        missed = 0
        for _ in range(5):
            running.wait_for(blocks, "it never went back to sleep in read(2)")
            with running.client(timeout_s=20.0) as client:
                try:
                    assert client.call("metrics")["paused"] is False
                except Silence:  # once in a long while: between its last instruction and the call (real/rousing.py)
                    missed += 1
        assert missed <= 1


def test_the_runner_rouses_once_who_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the kernel's signal had come just before the system call in which the server waits."""
    monkeypatch.setattr(rousing, "_EVERY_S", 0.0)
    with server(tmp_path / "run", "copy", roused=False) as running:

        def begun() -> bool:
            with suppress(OSError):
                return running.page().read()["state"] == RUNNING
            return False

        running.wait_for(begun, "it never began")
        child = SimpleNamespace(status=None, page=str(running.directory / "0.page"), pid=running.process.pid)
        rouser, page = rousing.Rousing(), running.page()

        times: list[int] = []
        while not rouser._roused:
            times.append(page.read()["time_ns"])
            rouser.look([cast(Any, child)])
        running.wait_for(lambda: page.read()["time_ns"] > times[-1], "it was not roused")
        sent = dict(rouser._roused)
        for _ in range(20):
            rouser.look([cast(Any, child)])
        assert rouser._roused == sent


ATTACKS = {
    "its socket": "s = socket.socket(socket.AF_UNIX); s.connect(f'{run}/0.socket')",
    "its page": "os.open(f'{run}/0.page', os.O_RDONLY)",
    "the list of its directory": "os.listdir(run)",
    "a file in its directory": "os.open(f'{run}/1.replace', os.O_WRONLY | os.O_CREAT)",
    "the socket by its descriptors": "os.listdir(f'/proc/{pid}/fd')",
    "what it reads": "os.open(f'/proc/{pid}/fd/0', os.O_RDONLY)",
    "its directory by that of the process": "os.listdir(f'/proc/{pid}/cwd')",
    "its directory in another's place": "os.rename(run, run + '.old')",
    "a signal": "os.kill(pid, 23)",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_another_user_gets_at_nothing(tmp_path: Path, attack: str) -> None:
    with busy(tmp_path) as running:
        for path in (tmp_path, *tmp_path.parents):
            with suppress(PermissionError):
                path.chmod(path.stat().st_mode | 0o055)  # so that the run's own directory is what keeps them out
        code = (
            "import os, socket, sys\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            f"run, pid = {str(running.directory)!r}, {running.process.pid}\n"
            f"try:\n    {attack}\nexcept PermissionError:\n    sys.exit(7)\n"
        )
        assert subprocess.run([sys.executable, "-S", "-c", code]).returncode == 7
        with running.client() as client:
            assert client.call("metrics")["pid"] == running.process.pid


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to another user")
def test_a_socket_that_another_user_has_put_there_is_not_spoken_to(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    directory.mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(directory / "0.socket"))
        theirs.listen()
        os.chown(directory / "0.socket", 65534, 65534)
        with pytest.raises(ControlError, match="belongs to another user"):
            Client(directory / "0.socket")


def test_no_directory_that_others_can_enter_or_have_linked_counts_as_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs.tempfile, "tempdir", str(tmp_path))
    entry = runs.ServerEntry(name="a", kind="command", program="cat", pid=os.getpid(), started=born(os.getpid()))
    text = msgspec.json.encode(runs.RunEntry(id="x", name="n", pid=1, since=0.0, servers=(entry,)))
    for name, mode in (("own", 0o700), ("open", 0o755)):
        (tmp_path / f"streamsim-{name}").mkdir()
        (tmp_path / f"streamsim-{name}").chmod(mode)
        (tmp_path / f"streamsim-{name}" / "run.json").write_bytes(text)
    (tmp_path / "streamsim-link").symlink_to(tmp_path / "streamsim-own")
    assert [path.name for path in runs._directories()] == ["streamsim-own"]
    assert len(runs.runs()) == 1
