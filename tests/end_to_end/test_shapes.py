"""Several servers, splits, merges, ports and loops, as real processes: nothing lost, nothing twice, nothing stuck."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections import Counter
from typing import Any

import pytest

from streamsim.errors import RunError
from streamsim.loading import load
from streamsim.real.measure import run_once
from streamsim.real.run import run

NUMBERS = {"sources": {"a": {"command": "seq 30000"}}}
C = {"LC_ALL": "C"}


def output(stations: dict[str, Any], sources: dict[str, Any] | None = None) -> bytes:
    """Run a circuit as a plain pipeline and return what it wrote."""
    found: list[bytes] = []
    read, write = os.pipe()

    def collect() -> None:
        with open(read, "rb") as file:
            found.append(file.read())

    reader = threading.Thread(target=collect)
    reader.start()
    try:
        run(load({"sources": sources or NUMBERS["sources"], "stations": stations}), stdout=write)
    finally:
        os.close(write)
        reader.join()
    return found[0]


def failure(stations: dict[str, Any], source: str = "seq 30000") -> str:
    """Return the message with which a circuit fails."""
    with pytest.raises(RunError) as raised:
        run_once(load({"sources": {"a": {"command": source}}, "stations": stations}))
    return str(raised.value)


def shell(line: str) -> bytes:
    return subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout


TR = {"command": "tr 1 x", "one_to_one": True, "parallelism": 3}


@pytest.mark.parametrize("partition", ["round-robin", "key", "least-loaded"])
@pytest.mark.parametrize("station", [TR, {"operator": "filter", "where": "record != '7'", "parallelism": 3}])
def test_servers_share_the_records_whatever_the_partition(partition: str, station: dict[str, Any]) -> None:
    one = station | {"parallelism": 1}
    found = output({"b": station | {"partition": partition}})
    assert Counter(found.split(b"\n")) == Counter(output({"b": one}).split(b"\n"))


def test_with_copy_every_server_gets_everything() -> None:
    assert output({"b": {"command": "wc -l", "parallelism": 3, "partition": "copy"}}) == b"30000\n" * 3


@pytest.mark.parametrize("station", [TR, {"operator": "map", "to": "record + '!'", "parallelism": 4}])
def test_an_ordered_merge_writes_what_one_server_would_have_written(station: dict[str, Any]) -> None:
    assert output({"b": station | {"merge": "ordered"}}) == output({"b": station | {"parallelism": 1}})


def test_a_command_that_breaks_its_promise_fails_an_ordered_merge_by_name() -> None:
    message = failure({"b": {"command": "grep -v 7", "one_to_one": True, "parallelism": 2, "merge": "ordered"}})
    assert "station 'b.merge'" in message
    assert "each record must give exactly one" in message


def test_sorted_servers_merge_into_one_sorted_output() -> None:
    found = output({"b": {"command": "sort", "env": C, "parallelism": 3, "merge": "sorted"}})
    assert found == shell("seq 30000 | LC_ALL=C sort")


def test_a_merge_compares_columns_as_numbers_or_backwards() -> None:
    sort = {"command": "sort -t, -k2,2nr", "env": C, "parallelism": 3}
    merge = {"operator": "merge", "key": 2, "numeric": True, "reverse": True}
    sources = {"a": {"command": "bash -c 'paste -d, <(seq 5000) <(seq 5000 | shuf --random-source=/bin/sh)'"}}
    assert (
        output({"b": sort | {"merge": merge}}, sources).split()
        == output({"b": sort | {"parallelism": 1}}, sources).split()
    )


def test_an_input_that_is_not_sorted_fails_the_merge_by_name() -> None:
    message = failure({"b": {"command": "cat", "parallelism": 2, "merge": "sorted"}})
    assert "station 'b.merge'" in message
    assert "comes before what stands above it" in message


def test_groups_counted_by_several_servers_are_whole() -> None:
    sources = {"a": {"command": "bash -c 'seq 30000 | cut -c1-2'"}}
    group = {"operator": "group", "key": 1, "parallelism": 3, "merge": "sorted"}
    assert output({"b": group}, sources) == output({"b": group | {"parallelism": 1, "merge": "unordered"}}, sources)


def test_readers_share_an_output_without_loss() -> None:
    stations = {
        "b": {"command": "cat", "split": "round-robin"},
        "c": {"command": "cat", "input": "b"},
        "d": {"command": "cat", "input": "b"},
    }
    stations["e"] = {"operator": "interleave", "input": ["c", "d"]}  # type: ignore[dict-item]
    assert sorted(output(stations).split(), key=int) == shell("seq 30000").split()


def test_a_route_and_a_command_have_outputs_of_their_own() -> None:
    counts = {"c": {"command": "wc -l", "input": "b"}, "d": {"command": "wc -l", "input": "b.rest"}}
    route = {"operator": "route", "where": "endswith(record, '7')"}
    assert sorted(output({"b": route, **counts}).split()) == [b"27000", b"3000"]
    tee = {"command": "awk '{ if (/7$/) print; else print > \"{rest}\" }'", "ports": ["rest"]}
    assert sorted(output({"b": tee, **counts}).split()) == [b"27000", b"3000"]


def test_a_port_that_nobody_reads_is_dropped_and_a_sink_may_take_one(tmp_path: Any) -> None:
    route = {"operator": "route", "where": "endswith(record, '7')"}
    assert len(output({"b": route}).split()) == 3000
    document = {
        **NUMBERS,
        "stations": {"b": route},
        "sinks": {"s": {"input": "b.rest", "file": str(tmp_path / "rest")}},
    }
    run_once(load(document))
    assert len((tmp_path / "rest").read_bytes().split()) == 27000


def test_a_reader_that_ends_early_ends_the_servers_too() -> None:
    assert output({"b": TR, "c": {"command": "head -n 3"}}).count(b"\n") == 3


def test_what_the_servers_did_is_one_row_of_the_measurement() -> None:
    found = run_once(load({**NUMBERS, "stations": {"b": {"command": "tr 1 x", "parallelism": 3}}}))
    assert found.stations["b"].servers == 3
    assert found.stations["b"].bytes_in[-1] == found.stations["b"].bytes_out[-1] == len(shell("seq 30000"))
    assert set(found.stations) == {"a", "b.split", "b", "b.merge"}


def countdown(**step: Any) -> dict[str, Any]:
    """Every number goes round, one less each time, until seven divides it."""
    return {
        "b": {"operator": "route", "where": "int(record) % 7 == 0", "input": ["a", "c"]},
        "c": {"input": "b.rest", **step},
        "d": {"operator": "copy", "input": "b"},
    }


MULTIPLES = Counter(number // 7 * 7 for number in range(1, 30001))
LESS = {"operator": "map", "to": "str(int(record) - 1)"}


@pytest.mark.parametrize("step", [LESS, LESS | {"parallelism": 2}], ids=["one", "two"])
def test_a_loop_ends_when_nothing_is_on_its_way(step: dict[str, Any]) -> None:
    assert Counter(map(int, output(countdown(**step)).split())) == MULTIPLES


def longer(command: str, **keys: Any) -> dict[str, Any]:
    return {
        "b": {"operator": "route", "where": "endswith(record, 'xxx')", "input": ["a", "c"]},
        "c": {"command": command, "input": "b.rest", **keys},
        "d": {"operator": "map", "to": "'end'", "input": "b"},
    }


@pytest.mark.parametrize("servers", [1, 2])
def test_a_command_in_a_loop_is_counted_where_it_gives_one_record_for_each(servers: int) -> None:
    loop = longer("sed -u s/$/x/", one_to_one=True, parallelism=servers)
    assert output(loop, {"a": {"command": "seq 2000"}}) == b"end\n" * 2000


def test_a_command_in_a_loop_that_gives_more_than_it_promised_fails_by_name() -> None:
    message = failure(longer("sed -u 's/$/x/;p'", one_to_one=True), "seq 20")
    assert re.search(r"b -> c -> b gave \d+ records for the \d+ that it took", message)


def test_a_loop_with_a_reader_that_has_had_enough_ends() -> None:
    forever = {"b": {"operator": "copy", "input": ["a", "b"]}, "c": {"command": "head -n 3", "input": "b"}}
    assert output(forever, {"a": {"command": "seq 1"}}) == b"1\n1\n1\n"


def test_what_came_by_each_of_several_inputs_is_known_to_the_byte() -> None:
    servers = {"command": "bash -c 'cat | cat'", "parallelism": 2}  # its children's bytes are counted as its own
    found = run_once(load({**NUMBERS, "stations": {"b": servers}}))
    assert found.stations["b"].bytes_out[-1] == len(shell("seq 30000"))


def test_a_join_by_several_servers_finds_every_pair() -> None:
    sources = {
        "a": {"command": "bash -c 'seq 3000 | paste -d, - <(seq 3000 -1 1)'"},
        "c": {"command": "bash -c 'seq 2000 | paste -d, <(seq 2001 4000) -'"},
    }
    join = {"operator": "join", "left": 2, "right": 1, "input": ["a", "c"]}
    one, three = output({"b": join}, sources), output({"b": join | {"parallelism": 3}}, sources)
    assert sorted(one.split()) == sorted(three.split())
    assert one.count(b"\n") == 1000
