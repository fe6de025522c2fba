"""Commands that name a record here and take effect further down: in every format, through every shape."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamsim.errors import ControlError
from streamsim.formats import create
from streamsim.real.control import runs
from streamsim.real.control.runs import RunEntry
from tests.end_to_end.steering import connected, feed, running

EVEN, ODD = "int(column(1)) % 2 == 0", "int(column(1)) % 2 == 1"
COUNT = 30_000
BATCH = 700
FORMATS: dict[str, str] = {
    "lines": '"lines"',
    "csv": '{ name = "csv", header = true }',
    "frames": '"frames"',
    "rows": '{ name = "rows", columns = ["number:i8"] }',
    "msgpack": '"msgpack"',
    "arrow": '{ name = "arrow", columns = ["number:i8"] }',
}
PASS = 'operator = "filter"\nwhere = "int(column(1)) >= 0"\n'
SHAPES = {
    "a chain": f"[stations.a]\n{PASS}[stations.b]\n{PASS}",
    "one process": f"[stations.a]\n{PASS}fuse = true\n[stations.b]\n{PASS}fuse = true\n",
    "servers by key": f'[stations.a]\n{PASS}parallelism = 3\npartition = "key"\n',
    "servers in order": f'[stations.a]\n{PASS}parallelism = 3\nmerge = "ordered"\n[stations.b]\n{PASS}',
    "a fork that meets again": """[stations.a]
operator = "filter"
where = "int(column(1)) % 4 < 2"
[stations.b]
operator = "filter"
where = "int(column(1)) % 4 >= 2"
input = "first"
[stations.c]
operator = "interleave"
input = ["a", "b"]
""",
    "servers behind servers": f"""[stations.a]
{PASS}parallelism = 2
[stations.b]
{PASS}parallelism = 2
partition = "key"
""",
}


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.tempfile, "tempdir", str(tmp_path))


def scenario(shape: str, format: str) -> str:
    """Return a scenario whose source waits for the test, with these stations between `first` and `last`."""
    text = 'name = "numbers"\n[sources.make]\ncommand = "cat hold"\n[stations.first]\noperator = "copy"\n'
    text += f'{SHAPES[shape]}[stations.last]\noperator = "filter"\nwhere = "{EVEN}"\n'
    text += "fuse = true\n" if shape == "one process" else ""
    heading, *stations = text.split("[stations.")
    written = "".join(f"[stations.{station}format = {format}\n" for station in stations)
    return f'{heading}{written}[sinks.out]\nfile = "out.data"\n'


@contextmanager
def fed(directory: Path, text: str, data: bytes, seed: int) -> Iterator[RunEntry]:
    """Run a scenario; when the block ends it gets its data, in pieces of random sizes."""
    draw = random.Random(seed)
    with running(directory, text) as (_, run):
        for server in run.servers:
            if server.socket is not None:
                connected(run, server.name).__exit__(None, None, None)
        yield run
        with feed(directory) as hold:
            done = 0
            while done < len(data):
                done += hold.write(data[done : done + draw.choice((1, 50, 4096, 30_000, 70_000))])


def encoded(format: str, numbers: range) -> tuple[bytes, Callable[[bytes], list[int]]]:
    """Return these numbers in a format, and what reads them back."""
    import tomllib

    codec = create(tomllib.loads(f"format = {format}")["format"])
    data = codec.head(["number"], ["i8"])
    for start in range(0, len(numbers), BATCH):
        data += codec.join([codec.record([number], b",") for number in numbers[start : start + BATCH]])

    def read(found: bytes) -> list[int]:
        reader = codec.fresh()
        block = reader.take(found) + reader.rest()
        return [int(reader.columns(record, b",")[0]) for record in reader.split(block)]

    return data, read


@pytest.mark.parametrize(
    ("shape", "format"),
    [(shape, "frames") for shape in SHAPES]
    + [("a fork that meets again", format) for format in FORMATS if format != "frames"]
    + [("servers in order", "msgpack"), ("servers by key", "csv"), ("one process", "arrow")],
)
def test_a_command_takes_effect_exactly_at_its_record_further_down(tmp_path: Path, shape: str, format: str) -> None:
    draw = random.Random(f"{shape}/{format}")
    first = draw.randrange(1, COUNT // 2)
    second = draw.randrange(first, COUNT)
    if format == "arrow":  # a place stands between two batches
        first, second = first // BATCH * BATCH, second // BATCH * BATCH
    data, read = encoded(FORMATS[format], range(COUNT))
    with (
        fed(tmp_path, scenario(shape, FORMATS[format]), data, seed=first) as run,
        connected(run, "first") as server,
    ):
        for record, where in ((second, "int(column(1)) % 3 == 0"), (first, ODD)):
            order = {"record": record, "method": "set", "parameters": {"where": where}}
            server.call("at", {**order, "station": "last"})
    found = (tmp_path / "out.data").read_bytes()
    assert b"streamsim mark" not in found
    expected = (
        [number for number in range(first) if number % 2 == 0],
        [number for number in range(first, second) if number % 2 == 1],
        [number for number in range(second, COUNT) if number % 3 == 0],
    )
    numbers, done = read(found), 0
    for part in expected:
        assert sorted(numbers[done : done + len(part)]) == part
        done += len(part)
    assert done == len(numbers)


REFUSED = {
    "tool": (
        '[stations.tool]\ncommand = "cat"\n',
        r"'tool', a Unix command \(cat\), stands before 'last'.*nobody can say",
    ),
    "packing": (
        '[stations.pack]\noperator = "compress"\n[stations.unpack]\noperator = "decompress"\n',
        r"^'unpack' \(decompress\) packs or unpacks bytes and keeps some back",
    ),
    "sorting": (
        '[stations.a]\noperator = "copy"\n[stations.b]\noperator = "copy"\ninput = "first"\n'
        '[stations.c]\noperator = "merge"\ninput = ["a", "b"]\n',
        r"'c' \(merge\) puts records of its inputs in order and keeps some back",
    ),
    "loop": (
        '[stations.round]\noperator = "route"\nwhere = "int(column(1)) >= 0"\ninput = ["first", "round.rest"]\n'
        '[stations.on]\noperator = "copy"\ninput = "round"\n',
        "in a circle|stands in a loop",
    ),
}


@pytest.mark.parametrize("between", REFUSED)
def test_a_place_is_refused_where_what_stands_between_cannot_carry_it(tmp_path: Path, between: str) -> None:
    stations, reason = REFUSED[between]
    text = f'''name = "numbers"
[sources.make]
command = "cat hold"
[stations.first]
operator = "copy"
{stations}[stations.last]
operator = "filter"
where = "{EVEN}"
[sinks.out]
file = "out.data"
'''
    with fed(tmp_path, text, b"1\n2\n3\n4\n", seed=1) as run, connected(run, "first") as server:
        order = {"record": 2, "method": "set", "parameters": {"where": ODD}, "station": "last"}
        with pytest.raises(ControlError, match=reason):
            server.call("at", order)
    assert (tmp_path / "out.data").read_bytes().split() == sorted([b"2", b"4"] * (2 if between == "sorting" else 1))


def test_a_station_that_takes_part_of_its_inputs_from_elsewhere_waits_for_the_others_only(tmp_path: Path) -> None:
    text = f'''name = "numbers"
[sources.make]
command = "cat hold"
[sources.other]
command = "seq 100001 2 100101"
[stations.first]
operator = "copy"
input = "make"
[stations.both]
operator = "interleave"
input = ["first", "other"]
[stations.last]
operator = "filter"
where = "{EVEN}"
[sinks.out]
file = "out.data"
'''
    data, read = encoded('"lines"', range(COUNT))
    with fed(tmp_path, text, data, seed=2) as run, connected(run, "first") as server:
        order = {"record": 20_000, "method": "set", "parameters": {"where": ODD}}
        server.call("at", {**order, "station": "last"})
        with pytest.raises(ControlError, match="'both': 'teleport' cannot be done at a position"):
            server.call("at", {"record": 5, "method": "teleport", "station": "both"})
    found = [number for number in read((tmp_path / "out.data").read_bytes()) if number < 100_000]
    assert found == [*range(0, 20_000, 2), *range(20_001, COUNT, 2)]


@pytest.mark.parametrize("merge", ["ordered", "unordered"])
def test_each_of_several_servers_does_it_at_its_place(tmp_path: Path, merge: str) -> None:
    text = f"""name = "numbers"
[sources.make]
command = "cat hold"
[stations.first]
operator = "copy"
[stations.many]
operator = "filter"
where = "{EVEN}"
parallelism = 3
merge = "{merge}"
[sinks.out]
file = "out.data"
"""
    data, read = encoded('"lines"', range(COUNT))
    with fed(tmp_path, text, data, seed=3) as run, connected(run, "first") as server:
        order = {"method": "set", "parameters": {"where": ODD}}
        server.call("at", {"record": 20_001, "station": "many", **order})
        connected(run, "many.2").call("at", {"record": 0, "station": "many.merge", "method": "parameters"})
    found = read((tmp_path / "out.data").read_bytes())
    expected = [*range(0, 20_001, 2), *range(20_001, COUNT, 2)]
    assert (found if merge == "ordered" else sorted(found)) == expected


LAST = """
name = "numbers"
[sources.make]
command = "cat hold"
[stations.first]
operator = "filter"
where = "int(column(1)) >= 0"
[stations.a]
operator = "map"
to = "record"
[stations.last]
operator = "count"
[sinks.out]
file = "out.data"
"""


@pytest.mark.parametrize("past", [0, 1])
def test_a_place_at_the_very_end_is_reached_before_the_answer_and_one_past_it_never(tmp_path: Path, past: int) -> None:
    data = b"".join(b"%d\n" % number for number in range(COUNT))
    with fed(tmp_path, LAST, data, seed=past) as run, connected(run, "first") as first:
        swap = {"operator": "top", "parameters": {"k": 2}, "state": "new"}
        first.call("at", {"record": COUNT + past, "station": "last", "method": "swap", "parameters": swap})
    answer = b"%d %d\n" % (COUNT, len(data))
    assert (tmp_path / "out.data").read_bytes() == (answer if past else b"")
