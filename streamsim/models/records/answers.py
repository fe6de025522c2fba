"""From the replications of a table to the result of its scenario, in the shape of all worlds."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.typing import NDArray

from streamsim.blame import SATURATED, USED_UP, held_back
from streamsim.models.records.compiling import OWN, Compiled
from streamsim.models.records.sample import Sample
from streamsim.models.records.states import SHED
from streamsim.models.records.steady import QUANTILES, Answer
from streamsim.models.records.table import Station
from streamsim.placement import beyond, core_shares
from streamsim.result import (
    Bottleneck,
    Budget,
    CircuitResult,
    Estimate,
    HostResult,
    ResponseTime,
    Result,
    StationResult,
)
from streamsim.scenario import Scenario
from streamsim.summary import LATE
from streamsim.visits import ONE_BY_ONE

Value = Callable[[Sample], float]
"""What is read off one replication."""

CORRELATED = 0.35
"""Of neighbouring batches, above which their interval is too narrow: 32 independent ones pass it once in 40 (2/√32)."""


def result_of(answer: Answer, compiled: Compiled, scenario: Scenario) -> Result:
    """Return all estimates of a scenario that was simulated record by record.

    Utilisations, waits and rates are those of the time after the warm-up; amounts those of a whole run, where it ends.
    A station's numbers are those of all its servers together.
    """
    return _Reader(answer, compiled, scenario).result()


class _Reader:
    def __init__(self, answer: Answer, compiled: Compiled, scenario: Scenario) -> None:
        self.answer, self.compiled, self.scenario = answer, compiled, scenario
        self.table = answer.table
        owners: dict[str, list[int]] = {}
        for number, station in enumerate(compiled.circuit.stations):
            owners.setdefault(station.server_of or station.name, []).append(number)
        self.members = {name: np.array(numbers) for name, numbers in owners.items()}
        self.stations = {name: self._station(name) for name in scenario.circuit.order()}

    def result(self) -> Result:
        answer, scenario = self.answer, self.scenario
        bottleneck = self._bottleneck()
        late = self._late(bottleneck)
        return Result(
            world="simulated",
            engine=answer.engine,
            scenario=scenario.key,
            host=HostResult(
                cores=self.compiled.host.cores,
                available_cores=self.compiled.host.available_cores,
                speed=self.compiled.host.speed,
            ),
            circuit=CircuitResult(
                makespan=self._ending(lambda one: one.makespan_s, "s"),
                bytes_per_s=self._put_in("bytes", "B/s"),
                records_per_s=self._put_in("records", "records/s"),
                response_time=self._response(),
                response_by_source=self._by_source(),
                bottleneck=bottleneck,
            ),
            stations=self.stations,
            saturated=not answer.settled or late > LATE,
            repetitions=len(answer.samples),
            notes=(*self._notes(), *self.compiled.notes),
            warnings=self._warnings(late),
        )

    def _mean(self, value: Value, unit: str) -> Estimate:
        return self.answer.mean(value, unit)

    def _ending(self, value: Value, unit: str) -> Estimate:
        return self._mean(value, unit) if self.answer.terminating else Estimate(value=None, unit=unit)

    def _put_in(self, what: str, unit: str) -> Estimate:
        rows = self.table.stations
        starts = [number for number, station in enumerate(rows) if station.source is not None]
        sizes = np.array([rows[k].size if what == "bytes" and isinstance(rows[k].size, int) else 1 for k in starts])
        return self._mean(lambda one: float((one.window.taken[starts] * sizes).sum()) / one.window_s, unit)

    def _timed(self) -> bool:
        return any(load.open or load.in_flight for load in self.scenario.loads.values())

    def _response(self) -> ResponseTime | None:
        if not self._timed():
            return None
        quantiles = {name: self.answer.quantile(part) for name, part in QUANTILES}
        return ResponseTime(mean=self.answer.response_mean(), **quantiles)

    def _by_source(self) -> dict[str, ResponseTime]:
        answer, rows = self.answer, self.table.stations
        return {
            rows[source].name: ResponseTime(
                mean=answer.of_source(source), **{name: answer.of_source(source, part) for name, part in QUANTILES}
            )
            for source in answer.sources
        }

    def _station(self, name: str) -> StationResult:
        members = self.members[name]
        servers = sum(self.table.servers(int(k)) for k in members)
        rows = [self.table.stations[int(k)] for k in members]
        is_source = rows[0].source is not None

        def share(what: str) -> Value:
            return lambda one: float(getattr(one.window, what)[members].sum()) / one.window_s / servers

        def each(*what: str) -> Value:
            def value(one: Sample) -> float:
                taken = float(one.window.taken[members].sum())
                return (
                    sum(float(getattr(one.window, part)[members].sum()) for part in what) / taken if taken else math.nan
                )

            return value

        def starved(one: Sample) -> float:
            if self._shares_own_core(members):
                return max(0.0, 1.0 - self._at_work(name, waiting=False)(one))
            return max(0.0, 1.0 - sum(share(f"{state}_s")(one) for state in ("cpu", "runnable", "waiting", "blocked")))

        shed = [number for number, row in enumerate(self.table.stations) if row.name == f"{rows[0].name}{SHED}"]
        taken = self._ending(lambda one: float(one.whole.taken[members].sum()), "records")
        busy = ("cpu_s", "runnable_s", "waiting_s")
        utilisation = self._mean(self._at_work(name, waiting=False), "")
        lives = {state: self._mean(share(f"{state}_s"), "") for state in ("cpu", "runnable", "waiting", "blocked")}
        if self._shares_own_core(members):  # it is one server, at work while anybody is there
            lives = {"cpu": utilisation, **dict.fromkeys(("runnable", "waiting", "blocked"), Estimate(value=0.0))}
        known = _scaled(taken, rows[0].size, "B")
        nothing = Estimate(value=0.0, unit="B")
        return StationResult(
            servers=servers,
            bytes_in=nothing if is_source else known,
            bytes_out=self._ending(lambda one: _given(one, members, shed, rows[0]), "B"),
            records_in=None if is_source else taken,
            records_out=self._ending(lambda one: _given(one, members, shed, rows[0], size=1.0), "records"),
            utilisation=utilisation,
            cpu=self._ending(lambda one: float(one.whole.cpu_s[members].sum()), "core-s"),
            demand_per_record=self._mean(each("cpu_s"), "core-s/record"),
            service_time=self._mean(each(*busy), "s"),
            wait=None if is_source else _known(self._mean(each("held"), "s")),
            response_time=None if is_source else _known(self._mean(each("held", *busy, "blocked_s"), "s")),
            budget=Budget(
                starved=self._mean(starved, ""),
                running=lives["cpu"],
                runnable=lives["runnable"],
                waiting=lives["waiting"],
                blocked=lives["blocked"],
            ),
        )

    def _at_work(self, name: str, *, waiting: bool) -> Value:
        """Return which part of the time a server runs, and waits for what its work waits for."""
        members = self.members[name]
        servers = sum(self.table.servers(int(k)) for k in members)
        own_core = self._shares_own_core(members)

        def part(one: Sample) -> float:
            waited = float(one.window.waiting_s[members].sum()) / servers if waiting else 0.0
            return (float(one.window.cpu_s[members].sum()) / (1 if own_core else servers) + waited) / one.window_s

        return part

    def _shares_own_core(self, members: NDArray[np.int64]) -> bool:
        """Whether the records that a station serves together share one core of its own."""
        host = self.table.stations[int(members[0])].host
        return host is not None and self.table.hosts[host].name.startswith(OWN)

    def _bottleneck(self) -> Bottleneck | None:
        """Name what holds the circuit back, as `blame` does of the one stretch that a steady state is."""
        first_sample = self.answer.samples[0]
        paced = [name for name, load in self.scenario.loads.items() if load.open]
        shares = {name: self._mean(self._at_work(name, waiting=name not in paced), "") for name in self.members}
        shares |= {label: self._mean(partial(self._core_share, label), "") for label in self._core_shares(first_sample)}
        known = {name: found.value or 0.0 for name, found in shares.items()}
        if not known:
            return None
        cpu_s = {name: float(first_sample.window.cpu_s[found].sum()) for name, found in self.members.items()}
        held = held_back(known, cpu_s, self.compiled.placement, used_up=0.0 if paced else USED_UP)
        first, *rest = sorted(shares, key=lambda name: (held.get(name, 0.0), known[name]), reverse=True)
        return Bottleneck(
            station=first,
            share=shares[first],
            runner_up=rest[0] if rest else None,
            runner_up_share=shares[rest[0]] if rest else None,
            saturated=not paced or not self.answer.settled or known[first] >= SATURATED,
        )

    def _late(self, bottleneck: Bottleneck | None) -> float:
        """Return by which part of the time in which its records came a run that ends took longer; 0 where it kept up.

        A short run is late by the response of its last record, whatever the load is: so something must be used up too.
        """
        if bottleneck is None or (bottleneck.share.value or 0.0) < SATURATED or not self.answer.terminating:
            return 0.0
        spans = [0.0]
        for name, load in self.scenario.loads.items():
            if load.rate is not None and name in self.members:
                station = self.stations[name]
                given = station.records_out if load.rate.unit == "records" else station.bytes_out
                spans.append((given.value or 0.0) / load.rate.per_second if given is not None else 0.0)
        makespan = self._ending(lambda one: one.makespan_s, "s").value or 0.0
        return makespan / max(spans) - 1 if max(spans) > 0 else 0.0

    def _core_share(self, label: str, one: Sample) -> float:
        return min(1.0, self._core_shares(one)[label])

    def _core_shares(self, one: Sample) -> dict[str, float]:
        """Return which part is used of the cores that stations share; nothing where each has its own."""
        if all(host.name.startswith(OWN) for host in self.table.hosts):
            return {}
        rows = self.compiled.circuit.stations
        cpu_s = {row.name: float(one.window.cpu_s[number]) for number, row in enumerate(rows)}
        return core_shares(self.compiled.placement, cpu_s, self.compiled.host.available_cores, one.window_s)

    def _notes(self) -> tuple[str, ...]:
        answer = self.answer
        count, each = len(answer.samples), answer.samples[0]
        runs = (
            f"{count} replication{'s' if count != 1 else ''} of {each.records} records past {answer.warm_up} of warm-up"
        )
        worst, _ = answer.little()
        little = "" if math.isnan(worst) else f"; Little's law holds to {worst:.1e}"
        return (
            f"engine {answer.engine}: {answer.why}",
            f"{runs}, {answer.records:,} records in all, took {answer.seconds:.2g} s{little}",
            *([ONE_BY_ONE] if self._timed() else []),
        )

    def _warnings(self, late: float) -> tuple[str, ...]:
        answer, found = self.answer, beyond(self.scenario.circuit, self.compiled.host.cores)
        reached = answer.reached
        if reached > answer.precision and len(answer.samples) > 1:
            width = f"is still {reached:.1%} of its value" if math.isfinite(reached) else "is not known"
            found.append(
                f"the widest interval {width} after {len(answer.samples)} replications "
                f"(asked for: {100 * answer.precision:.3g}%); raise simulate.replications"
            )
        if answer.samples[0].correlation > CORRELATED and len(answer.samples) == 1:
            found.append("batches of the one run follow each other's ups and downs: its interval is too narrow")
        if not answer.settled:
            found.append("response times had not settled after a million records: the load is too much for the circuit")
        if late > LATE:
            found.append(f"the load was not carried: the run took {100 * late:.0f} % longer than its records came")
        worst, fine = answer.little()
        if not fine:
            found.append(f"Little's law is off by {worst:.2g}: the simulation lost or invented time; please report it")
        return tuple(found)


def _given(one: Sample, members: np.ndarray, shed: list[int], row: Station, size: float | None = None) -> float:
    assert isinstance(row.size, int) and isinstance(row.yields, Fraction), "a scenario's records are of one size"
    per_record = size if size is not None else float(row.size)
    gone = float(one.whole.taken[shed].sum())
    return (float(one.whole.taken[members].sum()) * float(row.yields) - gone) * per_record


def _scaled(found: Estimate, size: object, unit: str) -> Estimate:
    factor = float(size) if isinstance(size, int) else 1.0
    low, high = found.low, found.high
    return Estimate(
        value=None if found.value is None else found.value * factor,
        low=None if low is None else low * factor,
        high=None if high is None else high * factor,
        unit=unit,
    )


def _known(found: Estimate) -> Estimate | None:
    return found if found.value is not None and math.isfinite(found.value) else None
