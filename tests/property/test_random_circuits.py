"""Random circuits with forks, joins, servers and loops through tiny pipes, held against lists of records.

None may hang, none may lose or double a record. Many of them would stand still in pipes of one page or two, so this is
where deadlocks are noticed and resolved by the hundred.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from streamsim.loading import load
from streamsim.real.run import run

Records = list[bytes]
COUNT = 200
MOST_S = 120
C = {"LC_ALL": "C"}

STEPS: list[tuple[dict[str, Any], Callable[[Records], Records]]] = [
    ({"command": "cat"}, lambda records: records),
    ({"operator": "copy"}, lambda records: records),
    ({"command": "tac"}, lambda records: records[::-1]),
    ({"command": "sort", "env": C}, sorted),
    ({"operator": "filter", "where": "not endswith(record, '3')"}, lambda r: [one for one in r if one[-1:] != b"3"]),
    ({"command": "grep -v 7"}, lambda records: [one for one in records if b"7" not in one]),
    ({"operator": "map", "to": "record + '.0'"}, lambda records: [one + b".0" for one in records]),
]


class Growing:
    """A circuit while it is drawn: its stations, and the records that each gives, in order where that is certain."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.stations: dict[str, Any] = {}
        self.given: dict[str, Records] = {}
        self.count = self.random.choice([0, 1, 50, 1500, 4000])
        self.given["a"] = [b"%d" % number for number in range(1, self.count + 1)]

    def add(self, keys: dict[str, Any], inputs: list[str], given: Records) -> str:
        name = f"s{len(self.stations)}"
        pipe = {"capacity": self.random.choice([4096, 8192, 16384])}
        self.stations[name] = {**keys, "input": inputs, "pipe": pipe}
        self.given[name] = given
        return name

    def step(self, above: str) -> str:
        keys, change = self.random.choice(STEPS)
        return self.add(keys, [above], change(self.given[above]))

    def shared(self, above: str) -> str:
        """Several servers that together write what one would."""
        partition = self.random.choice(["round-robin", "key", "least-loaded"])
        keys: dict[str, Any] = {"parallelism": self.random.randint(2, 3), "partition": partition}
        if self.random.random() < 0.5:
            sort = {"command": "sort", "env": C, "merge": "sorted"}
            return self.add(keys | sort, [above], sorted(self.given[above]))
        if self.random.random() < 0.5:
            few = {"operator": "filter", "where": "not endswith(record, '3')", "merge": "ordered"}
            in_turn = {"partition": "least-loaded" if partition == "least-loaded" else "round-robin"}
            return self.add(keys | few | in_turn, [above], [one for one in self.given[above] if one[-1:] != b"3"])
        ordered = {"command": "tr 1 x", "one_to_one": True, "merge": "ordered", "partition": "round-robin"}
        return self.add(keys | ordered, [above], [one.replace(b"1", b"x") for one in self.given[above]])

    def fork_join(self, above: str) -> str:
        ends = []
        for _ in range(self.random.randint(2, 3)):
            end = above
            for _ in range(self.random.randint(0, 2)):
                end = self.step(end)
            ends.append(end if end not in (above, *ends) else self.add({"command": "cat"}, [above], self.given[above]))
        if self.random.random() < 0.6:
            named = " ".join(f"{{{end}}}" for end in ends)
            return self.add({"command": f"cat {named}"}, ends, [one for end in ends for one in self.given[end]])
        columns = max(len(self.given[end]) for end in ends)
        rows = [[*self.given[end], *[b""] * (columns - len(self.given[end]))] for end in ends]
        named = " ".join(f"{{{end}}}" for end in ends)
        return self.add({"command": f"paste {named}"}, ends, [b"\t".join(row) for row in zip(*rows, strict=True)])

    def loop(self, above: str) -> str:
        """Numbers count down until they are small; everything comes out as its remainder."""
        modulus = self.random.randint(2, 5)
        entry = f"s{len(self.stations)}"
        rests = [b"%d" % (int(one) % modulus) for one in self.given[above]]
        less = {"operator": "map", "to": f"str(int(record) % {modulus})"}
        back = f"s{len(self.stations) + 1}"
        self.add({"operator": "route", "where": f"int(record) < {modulus}"}, [above, back], sorted(rests))
        servers = {"parallelism": self.random.randint(1, 3)}
        self.add((less if self.random.random() < 0.5 else {"operator": "copy"}) | servers, [f"{entry}.rest"], [])
        if self.stations[back]["operator"] == "copy":
            self.stations[back] = self.stations[back] | {"operator": "map", "to": f"str(int(record) - {modulus})"}
        return self.add({"command": "sort", "env": C}, [entry], sorted(rests))

    def circuit(self) -> str:
        end = self.loop("a") if self.random.random() < 0.3 else "a"
        for _ in range(self.random.randint(1, 2)):
            end = self.random.choice([self.fork_join, self.fork_join, self.shared, self.step])(end)
        return end


def outcome(seed: int) -> str | None:
    """Run the circuit of a seed; return what is wrong with it, None where all is well."""
    drawn = Growing(seed)
    end = drawn.circuit()
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(MOST_S)
    with tempfile.TemporaryFile() as file, open(os.devnull, "rb") as nothing:
        try:
            document = {"sources": {"a": {"command": f"seq {drawn.count}"}}, "stations": drawn.stations}
            run(load(document), stdin=nothing.fileno(), stdout=file.fileno())
        except KeyboardInterrupt:
            return f"seed {seed} hangs: {drawn.stations}"
        except Exception as error:
            return f"seed {seed} fails: {error}: {drawn.stations}"
        finally:
            signal.alarm(0)
        file.seek(0)
        found = file.read().split(b"\n")[:-1]
    if found != drawn.given[end]:
        kind = "order" if sorted(found) == sorted(drawn.given[end]) else f"{len(found)} of {len(drawn.given[end])}"
        return f"seed {seed} is wrong ({kind}): {drawn.stations}"
    return None


@pytest.mark.slow
def test_random_circuits_neither_hang_nor_lose_a_record() -> None:
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(max_workers=4, mp_context=context) as pool:
        wrong = [found for found in pool.map(outcome, range(COUNT), chunksize=5) if found is not None]
    assert wrong == []
