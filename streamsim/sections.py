"""The sections of a scenario file: which keys there are, of which type, and what each is for.

These are the single source of the check on loading and of the JSON Schema. A dash in nobody's key: every key is a word.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from streamsim.circuit import Merge, OnError, Split


def _key(text: str, *examples: Any) -> Meta:
    return Meta(description=text, examples=list(examples) or None)


class Section(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parent of all sections."""


class LoadStateSection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One state of an mmpp load."""

    rate: Annotated[str | float, _key("while it is in this state", "1600 records/s")]
    stay: Annotated[str | float, _key("mean time in it, exponential", "10 s")]


class SourceSection(Section, frozen=True, kw_only=True):
    """Where bytes come from: exactly one of file, files, command, operator."""

    file: Annotated[str | None, _key("one file", "data/flights.csv")] = None
    files: Annotated[str | list[str] | None, _key("a glob or a list of files, read one after the other")] = None
    exclude: Annotated[list[str], _key("globs of paths that `files` leaves out", ["**/site-packages/**"])] = []
    member: Annotated[str | None, _key("the member to read where the file is a zip archive")] = None
    command: Annotated[str | None, _key("a command that writes without reading", "zcat log.gz")] = None
    operator: Annotated[str | None, _key("a built-in source operator; its parameters follow", "generate")] = None
    format: Annotated[
        str | dict[str, Any] | None,
        _key(
            "what it holds, or makes; default: what its reader reads, or lines",
            "lines",
            {"name": "csv", "header": True},
        ),
    ] = None
    env: Annotated[dict[str, str], _key("environment variables of the command", {"LC_ALL": "C"})] = {}
    rate: Annotated[
        str | float | None, _key("records or bytes a second; absent: as fast as taken", "2000 records/s")
    ] = None
    arrivals: Annotated[
        Literal["even", "poisson", "bursty", "mmpp", "trace", "closed"], _key("when the records come")
    ] = "even"
    scv: Annotated[float, Meta(ge=1.0, description="squared coefficient of variation of bursty gaps")] = 4.0
    states: Annotated[
        list[LoadStateSection], _key("of mmpp arrivals: Poisson at the rate of each state, one after the other")
    ] = []
    in_flight: (
        Annotated[int, Meta(ge=1, description="of closed arrivals: so many records are in the circuit at any time")]
        | None
    ) = None
    times: Annotated[str | None, _key("a file of arrival times (s), one a line, for arrivals = 'trace'")] = None
    urgency: Annotated[
        int, Meta(ge=0, le=63, description="of its records where a station serves by priority; 0 is most urgent")
    ] = 0


class PipeSection(Section, frozen=True, kw_only=True):
    """The pipe(s) into a station."""

    capacity: Annotated[str | int | None, _key("rounded up to a power of two of at least 4 KiB", "256 KiB")] = None


class KeySection(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The column that records are told apart by; ``2`` is short for ``{ column = 2 }``."""

    column: Annotated[int, Meta(ge=1, description="the first is 1")]
    delimiter: Annotated[str, Meta(min_length=1, description="what stands between columns")] = ","


class StationSection(Section, frozen=True, kw_only=True):
    """A command or an operator; further keys are the operator's parameters."""

    command: Annotated[str | None, _key("any Unix tool; {name} is that input's file", "cut -d, -f9,10")] = None
    operator: Annotated[str | None, _key("a built-in operator or package.module:Class", "filter")] = None
    input: Annotated[str | list[str] | None, _key("what it reads; default: what stands above")] = None
    env: Annotated[dict[str, str], _key("environment variables of the command", {"LC_ALL": "C"})] = {}
    format: Annotated[
        str | dict[str, Any] | None,
        _key("how an operator tells records apart", "lines", {"name": "csv", "header": True}),
    ] = None
    parallelism: Annotated[int, Meta(ge=1, le=1024, description="how many servers share the work")] = 1
    partition: Annotated[
        Split | dict[str, Split] | None,
        _key("which server gets a record; by input where there are several", "key", {"words": "key", "table": "copy"}),
    ] = None
    partition_key: Annotated[
        int | KeySection | None,
        _key("of partition = 'key'; default: the operator's own key, else the whole record", 2),
    ] = None
    merge: Annotated[
        Merge | dict[str, Any], _key("how the servers' outputs become one", "ordered", {"operator": "merge", "key": 1})
    ] = "unordered"
    split: Annotated[Split, _key("which of several different readers of the output gets a record")] = "copy"
    split_key: Annotated[int | KeySection | None, _key("of split = 'key'; default: the whole record", 1)] = None
    ports: Annotated[list[str], _key("further outputs of a command; {name} is that output's file", ["late"])] = []
    one_to_one: Annotated[
        bool, _key("of a command: each record gives exactly one, and at once; checked while it runs")
    ] = False
    niceness: Annotated[int, Meta(ge=0, le=19, description="lowers the priority, as nice(1) does")] = 0
    cores: Annotated[list[Annotated[int, Meta(ge=0)]], _key("the CPUs that the servers are pinned to", [0])] = []
    fuse: Annotated[bool, _key("may share one process with the operators next to it")] = False
    on_error: Annotated[OnError | None, _key("what becomes of a record that the operator cannot work on")] = None
    dead_letter: Annotated[str | None, _key("the file that gets those records", "bad.txt")] = None
    pipe: Annotated[PipeSection, _key("the pipe(s) into it")] = PipeSection()


class SinkSection(Section, frozen=True, kw_only=True):
    """Where bytes leave: a file, or nowhere where no file is named."""

    file: Annotated[str | None, _key("the file to write")] = None
    input: Annotated[str | None, _key("whose output; default: the last station")] = None


class HostSection(Section, frozen=True, kw_only=True):
    """The machine."""

    cores: Annotated[int, Meta(ge=1, le=4096, description="real runs are pinned to so many; default: all")] | None = (
        None
    )
    pipe_growth: Annotated[
        str | int | None,
        _key("how much the pipes may grow, all together, where the circuit would stand still", "64 MiB"),
    ] = None


class MeasureSection(Section, frozen=True, kw_only=True):
    """How to run for real."""

    repetitions: Annotated[int, Meta(ge=1, description="how many runs count")] = 3
    duration: Annotated[str | float | None, _key("end the sources after so long", "10 s")] = None
    records: Annotated[int, Meta(ge=1, description="end the sources after so many records")] | None = None
    warmup: Annotated[int, Meta(ge=0, description="runs thrown away before the first that counts")] = 1


class SimulateSection(Section, frozen=True, kw_only=True):
    """How to simulate."""

    precision: Annotated[float, Meta(gt=0, lt=1, description="stop at intervals so narrow, relative")] = 0.02
    seed: Annotated[int, Meta(ge=0, description="same seed, same trace")] = 1
    replications: Annotated[int, Meta(ge=1, description="at most so many")] = 30
    grain: Annotated[
        Literal["chunks", "records"] | None,
        _key("what moves; default: chunks, records where only they can say what the scenario asks for"),
    ] = None
    cores: Annotated[Literal["shared", "own"], _key("own: no server ever waits for a core")] = "shared"


class DistributionSection(Section, frozen=True, kw_only=True):
    """A distribution by its parameters; what is given in seconds is the mean too, where no demand is declared."""

    family: Annotated[
        Literal["deterministic", "exponential", "erlang", "hyperexponential", "gamma", "lognormal", "weibull"]
        | Literal["phase-type", "empirical", "map", "bootstrap"],
        _key("which one"),
    ]
    shape: Annotated[float, Meta(gt=0, description="of gamma, weibull; lognormal: sigma; erlang: phases")] | None = None
    probability: Annotated[float, Meta(gt=0, lt=1, description="of hyperexponential: of the first phase")] | None = None
    rates: Annotated[
        list[float | list[float]] | None,
        _key("hyperexponential: of both phases (1/s); phase-type: between phases (1/s)", [[-4.0, 4.0], [0.0, -4.0]]),
    ] = None
    initial: Annotated[list[float] | None, _key("of phase-type: the chances to start in each phase")] = None
    hidden: Annotated[list[list[float]] | None, _key("of map: D0, transitions inside a time (1/s)")] = None
    visible: Annotated[list[list[float]] | None, _key("of map: D1, transitions that end one (1/s)")] = None
    file: Annotated[str | None, _key("of empirical and bootstrap: times (s), one a line")] = None
    block: Annotated[float, Meta(ge=1, description="of bootstrap: mean length of a block")] = 50.0


class ServiceSection(Section, frozen=True, kw_only=True):
    """What one chunk needs, declared by hand where nothing was measured."""

    setup: Annotated[str | float, _key("core time for each chunk", "5 us")] = 0.0
    per_record: Annotated[str | float, _key("core time for each record", "12 us")] = 0.0
    per_byte: Annotated[str | float, _key("core time for each byte", "3 ns")] = 0.0
    waiting_per_record: Annotated[str | float, _key("time without a core for each record", "1 ms")] = 0.0
    scv: Annotated[float, Meta(ge=0, description="squared coefficient of variation of a chunk's demand")] = 0.0
    correlation: Annotated[
        float, Meta(ge=0, lt=0.5, description="of a demand with the next one (distribution = 'map')")
    ] = 0.0
    distribution: Annotated[
        Literal["deterministic", "exponential", "erlang", "hyperexponential", "gamma", "lognormal", "weibull"]
        | Literal["phase-type", "map"]
        | DistributionSection
        | None,
        _key("by scv (default: 0 deterministic, 1 exponential, else gamma) or by its parameters"),
    ] = None
    selectivity: Annotated[float, Meta(ge=0, description="bytes (and records) out per in")] = 1.0
    record_bytes: Annotated[float, Meta(gt=0, description="mean size of a record in")] = 80.0
    bytes: Annotated[str | int | None, _key("of a source: how much it gives in all", "100 MiB")] = None
    barrier: Annotated[bool, _key("reads all before it writes")] = False
    at_once: Annotated[int, Meta(ge=1, le=100_000, description="records served at the same time, from one queue")] = 1
    places: Annotated[
        Annotated[int, Meta(ge=0)] | Literal["unlimited"] | None,
        _key("records that wait before it at most (0: handed over); default: what its pipe holds in bytes", 10),
    ] = None
    discipline: Annotated[
        Literal["arrival", "priority", "preemptive", "sharing"],
        _key("whom it serves: in turn; the most urgent, interrupting others or not; all at once, sharing a core"),
    ] = "arrival"
    shares: Annotated[
        dict[str, Annotated[float, Meta(ge=0, le=1)]],
        _key("which part of its output leaves by each port", {"late": 0.1}),
    ] = {}


class ControllerSection(Section, frozen=True, kw_only=True):
    """A policy that looks at stations and steers them while the circuit runs; its parameters follow."""

    policy: Annotated[str, _key("a built-in policy or package.module:Class", "hold-latency")]
    period: Annotated[str | float, _key("from one decision to the next", "50 ms")] = 0.1


class Document(Section, frozen=True, kw_only=True):
    """A streamsim scenario: one circuit, its load, its host."""

    name: Annotated[str | None, _key("default: the file's name")] = None
    title: Annotated[str, _key("one line for people")] = ""
    sources: Annotated[dict[str, SourceSection], _key("where bytes come from")] = {}
    stations: Annotated[dict[str, StationSection], _key("what is done to them, upstream first")] = {}
    sinks: Annotated[dict[str, SinkSection], _key("where they go")] = {}
    host: Annotated[HostSection, _key("the machine")] = HostSection()
    measure: Annotated[MeasureSection, _key("how to run for real")] = MeasureSection()
    simulate: Annotated[SimulateSection, _key("how to simulate")] = SimulateSection()
    service: Annotated[dict[str, ServiceSection], _key("demands declared by hand, by station")] = {}
    controllers: Annotated[dict[str, ControllerSection], _key("what steers the stations while they run")] = {}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a scenario file.

    >>> json_schema()["title"]
    'streamsim scenario'
    """
    (reference,), parts = msgspec.json.schema_components([Document], ref_template="#/$defs/{name}")
    for name, part in parts.items():
        if name not in ("StationSection", "SourceSection", "ControllerSection"):  # open: an operator's parameters
            part["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **reference,
        "title": "streamsim scenario",
        "$defs": parts,
    }
