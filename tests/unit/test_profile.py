"""Profiles from a file: what no measurement can have given is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamsim.errors import ProfileError
from streamsim.files import to_json
from streamsim.loading import load
from streamsim.service import HostProfile, Profile, StationProfile, read_profile
from streamsim.verbs import find_profile

GOOD = Profile(
    scenario="x", host=HostProfile(cores=2, available_cores=2.0), stations={"a": StationProfile(bytes_in=9.0)}
)


def test_a_written_profile_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(to_json(GOOD))
    assert read_profile(path) == GOOD


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda document: document.update(stations={}), "no stations"),
        (lambda document: document["stations"]["a"].update(bytes_in=-1.0), r"stations\.a\.bytes_in is -1"),
        (lambda document: document["stations"]["a"].update(read_bytes=1e300), r"stations\.a\.read_bytes is 1e\+300"),
        (lambda document: document["host"].update(available_cores=0.0), "host has no core"),
        (lambda document: document.update(schema="other/1"), "its schema is"),
    ],
)
def test_an_impossible_profile_is_refused_with_its_place(tmp_path: Path, change, said: str) -> None:  # type: ignore[no-untyped-def]
    document = json.loads(to_json(GOOD))
    change(document)
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ProfileError, match=said):
        read_profile(path)


def test_what_is_declared_in_part_is_told_what_it_lacks() -> None:
    stations = {"desk": {"command": "cat"}}
    scenario = load({"sources": {"callers": {"command": "seq 9"}}, "stations": stations, "service": {"desk": {}}})
    with pytest.raises(ProfileError, match=r"or declare \[service\.callers\] too"):
        find_profile(scenario)
