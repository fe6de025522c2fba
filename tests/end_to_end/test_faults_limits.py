"""What the machine refuses: a full disk, a file or descriptors past their limit, pipes past a user's quota."""

from __future__ import annotations

import fcntl
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from streamsim.errors import RunError
from streamsim.loading import load
from streamsim.operators import create
from streamsim.real.launch import launched
from streamsim.real.measure import run_once
from streamsim.real.pipes import Descriptors, make_joints, try_pipes
from streamsim.real.plan import make_plan
from streamsim.real.starting import Setting
from streamsim.real.supervise import supervise
from streamsim.real.worker.alone import Inattention
from streamsim.real.worker.fanout import Fanout, Stage
from streamsim.real.worker.outputs import Outputs
from streamsim.real.worker.visits import Visits
from streamsim.scenario import Scenario
from tests.end_to_end.processes import no_children
from tests.end_to_end.test_faults import supervised

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limits are Linux's")

STATIONS: dict[str, Any] = {
    "ours": {"a": {"operator": "copy"}, "b": {"operator": "copy"}, "c": {"operator": "copy"}},
    "tools": {"a": {"command": "cat"}},
}


def writing(stations: dict[str, Any], out: Path, size: int) -> Scenario:
    return load({"sources": {"n": {"command": f"head -c {size} /dev/zero"}}, "stations": stations,
                 "sinks": {"o": {"file": str(out)}}})  # fmt: skip


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of 1 MiB; skips, with the reason, where this user may not mount one."""
    place = Path(tempfile.mkdtemp(prefix="small-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)], capture_output=True, text=True, check=False
    )
    try:
        if mounted.returncode:
            pytest.skip(f"a full disk needs one to fill: {mounted.stderr.strip()} (the next test has a limit instead)")
        yield place
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


@pytest.mark.parametrize("stations", STATIONS)
def test_a_disk_that_is_full_fails_the_run_and_keeps_the_old_file(stations: str) -> None:
    with small_disk() as disk:
        (disk / "out").write_bytes(b"old\n")
        with pytest.raises(RunError) as caught:
            run_once(writing(STATIONS[stations], disk / "out", 4 << 20))
        assert caught.value.station == list(STATIONS[stations])[-1]
        assert "No space left on device" in caught.value.stderr
        assert (disk / "out").read_bytes() == b"old\n"
        assert [path.name for path in disk.iterdir()] == ["out"]
    assert no_children()


@contextmanager
def limit(which: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(which)
    resource.setrlimit(which, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(which, before)


@pytest.mark.parametrize("stations", STATIONS)
def test_a_file_past_its_limit_fails_the_run_and_keeps_the_old_file(stations: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old\n")
    scenario = writing(STATIONS[stations], tmp_path / "out", 4 << 20)
    with pytest.raises(RunError) as caught, limit(resource.RLIMIT_FSIZE, 1 << 20):
        supervised(scenario)
    assert caught.value.station == list(STATIONS[stations])[-1]
    assert "File too large" in str(caught.value) or "SIGXFSZ" in str(caught.value)
    assert (tmp_path / "out").read_bytes() == b"old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert no_children()


def test_a_sink_that_fits_the_disk_to_the_byte_is_whole() -> None:
    with small_disk() as disk:
        run_once(writing(STATIONS["ours"], disk / "out", 1 << 20))
        assert (disk / "out").stat().st_size == 1 << 20


def in_a_child(work: Callable[[], str], *, nobody: bool = False) -> str:
    """Return what ``work`` returns in a process of its own, of an ordinary user if so asked: nobody, if we are root."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        answer = "?"
        try:
            os.chdir("/")
            if nobody and os.geteuid() == 0:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
            answer = work()
        except BaseException:
            answer = traceback.format_exc()
        finally:
            os.write(write, answer.encode())
            os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        answer = file.read().decode()
    os.waitpid(pid, 0)
    return answer


def as_nobody(work: Callable[[], str]) -> str:
    return in_a_child(work, nobody=True)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("operator", [True, False])
def test_a_machine_without_descriptors_starts_nothing(
    operator: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    what: dict[str, Any] = {"operator": "copy"} if operator else {"command": "cat"}
    scenario = load({"sources": {"n": {"command": "sleep 5"}}, "stations": {f"s{n}": what for n in range(40)},
                     "sinks": {"o": {"file": str(tmp_path / "out")}}})  # fmt: skip

    def work(spare: int) -> str:
        used = open_files()
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + spare, used + spare))
        with pytest.raises(RunError, match=r"Too many open files.*ulimit -Hn"):
            supervised(scenario)
        assert no_children()
        assert open_files() <= used
        return "said"

    # From none to spare, so that each thing that is opened is once the one too many.
    for spare in (2, 3, 5, 7, 9, 11, 20, 60):
        assert in_a_child(lambda spare=spare: work(spare)) == "said"
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("operators", [0, 40])
def test_a_run_takes_more_files_than_it_was_started_with_and_its_tools_get_no_more(operators: int) -> None:
    copies = {f"s{n}": {"operator": "copy"} if n < operators else {"command": "cat"} for n in range(50)}
    tell = {"command": "sh -c 'cat; ulimit -Sn'"}
    asked = {"operator": "exec", "program": "sh -c 'ulimit -Sn'"}
    scenario = load({"sources": {"ask": asked}, "stations": {**copies, "tell": tell}})

    def work() -> str:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        read, write = os.pipe()
        with launched(make_plan(scenario), Setting(stdout=write)) as crew:
            supervise(crew)
        return f"{os.read(read, 100).decode()}{resource.getrlimit(resource.RLIMIT_NOFILE)[0]}"

    assert in_a_child(work) == "64\n64\n64"


def test_a_server_of_many_pipes_is_given_the_files_for_them() -> None:
    scenario = load({"sources": {"n": {"command": "seq 9"}},
                     "stations": {f"s{n}": {"command": "wc -l", "input": "n"} for n in range(90)}})  # fmt: skip

    def work() -> str:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        read, write = os.pipe()
        with launched(make_plan(scenario), Setting(stdout=write)) as crew:
            supervise(crew)
        return os.read(read, 1000).decode()

    assert in_a_child(work) == "9\n" * 90


def test_a_user_without_processes_is_told_so_and_nothing_is_left() -> None:
    scenario = load({"sources": {"n": {"command": "sleep 5"}}, "stations": {"s": {"command": "cat"}}})

    def work() -> str:
        with limit(resource.RLIMIT_NPROC, 0):
            try:
                supervised(scenario)
            except RunError as error:
                return str(error) if no_children() else "children are left"
        return "it ran"

    assert "ulimit -u" in as_nobody(work)


def use_up_the_quota() -> list[int]:
    """Take all of the pages that this user may have in pipes (pipe(7), pipe-user-pages-soft)."""
    held: list[int] = []
    with suppress(OSError):
        while len(held) < 600:
            held += os.pipe()
            fcntl.fcntl(held[-1], fcntl.F_SETPIPE_SZ, 1 << 20)
    while len(held) < 600 and fcntl.fcntl(held[-1], fcntl.F_GETPIPE_SZ) == 1 << 16:
        held += os.pipe()
    return held


def count_lines(capacity: str) -> str:
    held = use_up_the_quota()
    scenario = load({"sources": {"n": {"command": "seq 100000"}},
                     "stations": {"a": {"command": "cat", "pipe": {"capacity": capacity}}, "b": {"command": "wc -l"}},
                     })  # fmt: skip
    read, write = os.pipe()
    try:
        with launched(make_plan(scenario), Setting(stdout=write)) as crew:
            warnings = [*crew.warnings, *supervise(crew)]
    except RunError as error:
        return f"refused: {error}"
    finally:
        for descriptor in held:
            os.close(descriptor)
    return f"{os.read(read, 100).decode().strip()}; {'; '.join(warnings)}"


def test_pipes_past_the_quota_of_an_ordinary_user_are_smaller_and_that_is_said() -> None:
    answer = as_nobody(lambda: count_lines("64 KiB"))
    assert answer.startswith("100000; pipe n->a has "), answer
    assert "instead of 64 KiB: this user has used up what the kernel gives to pipes (/proc/sys/fs/pipe-user" in answer


def test_a_large_pipe_past_the_quota_of_an_ordinary_user_is_refused() -> None:
    answer = as_nobody(lambda: count_lines("1 MiB"))
    assert answer.startswith("refused: the kernel refuses a pipe of 1 MiB for n->a: Operation not permitted"), answer


@pytest.mark.parametrize("stations", [1, 70])
def test_a_check_tells_an_ordinary_user_which_pipes_cannot_be_had(stations: int) -> None:
    most = int(Path("/proc/sys/fs/pipe-max-size").read_text())
    capacity = 2 * most if stations == 1 else most  # one that is too large, or too many
    scenario = load({"sources": {"n": {"command": "seq 9"}},
                     "stations": {f"a{number}": {"command": "cat", "pipe": {"capacity": capacity}}
                                  for number in range(stations)}})  # fmt: skip

    def work() -> str:
        try:
            return "; ".join(try_pipes(make_plan(scenario)))
        except RunError as error:
            return f"refused: {error}"

    answer = as_nobody(work)
    assert answer.startswith("refused: the kernel refuses a pipe of "), answer
    assert ("pipe-max-size" if stations == 1 else "pipe-user-pages-soft") in answer, answer


def test_the_pipes_of_a_copy_are_as_large_as_an_ordinary_user_may_have() -> None:
    def work() -> str:
        held = use_up_the_quota()
        scenario = load({"sources": {"n": {"command": "seq 9"}},
                         "stations": {name: {"command": "wc -l", "input": "n"} for name in "ab"}})  # fmt: skip
        with Descriptors(64) as descriptors:
            _, warnings = make_joints(make_plan(scenario), descriptors)
        for descriptor in held:
            os.close(descriptor)
        return "; ".join(warnings)

    answer = as_nobody(work)
    assert answer.startswith("pipe n->n.copy has ") and "instead of 256 KiB" in answer, answer


def test_a_fanout_without_room_for_private_pipes_writes_as_before() -> None:
    content = random.Random(1).randbytes(3 << 20)

    def fan_out() -> str:
        source, *ends = os.pipe(), os.pipe(), os.pipe()
        held = use_up_the_quota()
        outputs = Outputs([write for _, write in ends])
        with pytest.raises(OSError, match="a pipe of 65536 bytes is not to be had"):
            Stage(outputs, 65536, Inattention())
        server = Fanout(create("copy"), outputs, Visits(None), Inattention())

        def pour() -> None:
            with open(source[1], "wb") as pipe:
                pipe.write(content)

        def serve() -> None:
            server.serve([source[0]], 65536)
            outputs.close()

        for work in (pour, serve):
            threading.Thread(target=work, daemon=True).start()
        got: dict[int, bytes] = {}

        def drain(read: int) -> None:
            with open(read, "rb") as pipe:
                got[read] = pipe.read()

        readers = [threading.Thread(target=drain, args=(read,)) for read, _ in ends]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        return f"{len(held) > 100} {[data == content for data in got.values()]}"

    assert as_nobody(fan_out) == "True [True, True]"
