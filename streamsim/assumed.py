"""What is assumed of stations that a change of the scenario inserts and that no measurement has seen yet.

A copy, a split or a merge touches every record once and moves its bytes; a paced reader gives records at their times.
The figures are what such operators of ours needed in runs on one machine (benchmarks/inserted.py measures them); they
are small against the work that makes somebody share it. Whoever uses them says so.
"""

from __future__ import annotations

import msgspec

from streamsim.circuit import Station
from streamsim.scenario import Scenario
from streamsim.service import Profile, ServiceModel, StationProfile

MOVES = ServiceModel(setup=20e-6, per_record=0.2e-6, per_byte=1.5e-9, startup=10e-3)
"""Core-seconds of a copy, split or merge: per chunk, per record, per byte, and to start."""
NOTE = "assumed, not measured"
PACES = ServiceModel(setup=20e-6, per_record=1.5e-6, startup=5e-3)
"""Core-seconds of a reader that gives records at their times."""


def complete(profile: Profile, scenario: Scenario) -> tuple[Profile, tuple[str, ...]]:
    """Return a profile that also knows the stations that the scenario's shape inserted, and the names of those.

    Parameters
    ----------
    profile : that of the scenario before a change; stations that somebody wrote must be in it.

    A source that now has a load keeps what was measured of it: of a command under the name ``X.command``, behind which
    a paced reader is assumed.
    """
    known = dict(profile.stations)
    assumed: list[str] = []
    for station in scenario.circuit.stations:
        if station.name in scenario.services:
            continue
        if station.role == "source" and scenario.load_of(station.name).open:
            raw = f"{station.name}.command"
            if any(other.name == raw for other in scenario.circuit.stations) and raw not in known:
                if station.name in known:
                    known[raw] = known.pop(station.name)
                    assumed.append(station.name)
                    known[station.name] = _paced(known[raw])
                continue
        if station.name not in known and _inserted(station):
            known[station.name] = _moving(station, scenario, profile)
            assumed.append(station.name)
    if not assumed:
        return profile, ()
    return msgspec.structs.replace(profile, stations=known), tuple(assumed)


def _inserted(station: Station) -> bool:
    return station.role in ("copy", "split", "merge", "convert") or (
        station.role == "source" and station.operator == "file"
    )


def _moving(station: Station, scenario: Scenario, profile: Profile) -> StationProfile:
    """Return the profile of what passes everything on, in records of the size that its neighbour was seen to handle."""
    if station.role == "source":
        readers = [pipe.downstream for pipe in scenario.circuit.outputs_of(station.name)]
        record = next((profile.stations[name].record_bytes for name in readers if name in profile.stations), 80.0)
        size = float(scenario.source_bytes.get(station.name, 0))
        seen = next((profile.stations[name].bytes_in for name in readers if name in profile.stations), 0.0)
        return _paced(StationProfile(bytes_out=size or seen, record_bytes=record))
    owner = station.name.rpartition(".")[0]
    near = profile.stations.get(owner) or scenario.services.get(owner) or StationProfile(record_bytes=80.0)
    record = near.record_bytes
    if station.role in ("merge", "copy") and near.records_out and near.bytes_out:
        record = near.bytes_out / near.records_out
    return _through(MOVES, record)


def _through(service: ServiceModel, record: float) -> StationProfile:
    return StationProfile(
        service=service,
        bytes_in=1.0,
        bytes_out=1.0,
        records_in=1 / record,
        records_out=1 / record,
        record_bytes=record,
        source="declared",
        note=NOTE,
    )


def _paced(raw: StationProfile) -> StationProfile:
    record = max(raw.record_bytes, 1.0)
    return msgspec.structs.replace(
        _through(PACES, record),
        bytes_in=0.0,
        bytes_out=raw.bytes_out,
        records_in=None,
        records_out=raw.bytes_out / record,
        source="fitted",
    )
