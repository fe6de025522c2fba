"""Traces and profiles that somebody cut, spoilt or edited are refused with their file, never half believed."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamsim.errors import ProfileError
from streamsim.loading import load
from streamsim.scenario import ScenarioKey
from streamsim.service import HostProfile, read_profile
from streamsim.trace import CURVES, PipeTrace, RunTrace, StationTrace, Trace, read_trace, write_trace


@pytest.fixture
def file(tmp_path: Path) -> Path:
    curves: dict[str, Any] = {curve: np.arange(5.0) for curve in CURVES}
    station = StationTrace(name="a", started_s=0.0, ended_s=4.0, **curves)
    pipe = PipeTrace(label="s->a", capacity_bytes=65536, time_s=np.arange(3.0), level_bytes=np.zeros(3))
    host = HostProfile(cores=1, available_cores=1.0, speed=(1.0,))
    run = RunTrace(makespan_s=4.0, stations={"a": station}, pipes={"s->a": pipe}, host=host)
    key = ScenarioKey(name="x", digest="0")
    write_trace(Trace(world="measured", engine="pipes", scenario=key, runs=(run,)), tmp_path / "trace.npz")
    return tmp_path / "trace.npz"


def test_the_scenario_beside_a_trace_is_found_from_another_directory(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamsim.cli.measuring import _scenario_of, write_trace_of

    (tmp_path / "s.txt").write_text("a\n")
    (tmp_path / "x.toml").write_text('[sources.s]\nfile = "s.txt"\n[stations.a]\ncommand = "wc"\n')
    monkeypatch.chdir(tmp_path)
    write_trace_of(tmp_path, load("x.toml"), read_trace(file))
    monkeypatch.chdir("/")
    assert _scenario_of(file).circuit.feeds[0].file == str(tmp_path / "s.txt")


def refusal(file: Path) -> str:
    with pytest.raises(ProfileError) as caught:
        read_trace(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


def edited(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    with np.load(file) as stored:
        arrays = dict(stored)
    change(arrays)
    np.savez(file, **arrays)


def test_a_trace_that_was_cut_anywhere_is_refused(file: Path) -> None:
    whole = file.read_bytes()
    assert read_trace(file).runs[0].stations["a"].ended_s == 4.0
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert "not a trace" in refusal(file)


def test_a_flipped_bit_is_refused_or_harmless(file: Path) -> None:
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        with contextlib.suppress(ProfileError):
            read_trace(file)


@pytest.mark.parametrize(
    "values", [np.arange(4.0), np.zeros(0), np.full(5, np.nan), np.full(5, "x"), np.zeros((5, 1)), np.array(3.0)]
)
@pytest.mark.parametrize("curve", ["time_s", "cpu_s"])
def test_curves_that_do_not_fit_together_are_refused(file: Path, curve: str, values: Any) -> None:
    edited(file, lambda arrays: arrays.update({f"0/station/a/{curve}": values}))
    assert "0/station/a/" in refusal(file)


@pytest.mark.parametrize(("key", "value"), [("started_s", "x"), ("threads", []), ("servers", 1.5), ("course", [1])])
def test_scalars_of_another_type_are_refused(file: Path, key: str, value: Any) -> None:
    def change(arrays: dict[str, Any]) -> None:
        head = json.loads(arrays["head"].tobytes())
        head["runs"][0]["stations"]["a"][key] = value
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)

    edited(file, change)
    assert "not a trace" in refusal(file)


def test_an_archive_that_would_fill_the_memory_is_not_unpacked(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("head.npy", b"0")
        archive.filelist[0].file_size = 5 << 30  # what its directory will say
    assert "unpacks to 5.0 GiB" in refusal(file)


def test_a_host_without_a_core_is_refused(file: Path) -> None:
    def change(arrays: dict[str, Any]) -> None:
        head = json.loads(arrays["head"].tobytes())
        head["runs"][0]["host"]["speed"] = []
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)

    edited(file, change)
    assert "not a trace" in refusal(file)


def test_a_profile_that_cannot_be_read_to_its_end_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "profile.json")
    with pytest.raises(ProfileError, match="nothing came out of it"):
        read_profile(tmp_path / "profile.json")


@pytest.mark.parametrize("key", ["record_bytes", "at_once"])
def test_a_profile_with_nothing_to_divide_by_is_refused(tmp_path: Path, key: str) -> None:
    station = {"service": {}, key: 0}
    host = {"cores": 1, "available_cores": 1.0, "speed": [1.0]}
    content = {"schema": "streamsim.profile/1", "scenario": "x", "digest": "", "host": host, "stations": {"a": station}}
    (tmp_path / "profile.json").write_text(json.dumps(content))
    with pytest.raises(ProfileError, match=f"stations.a.{key} is 0"):
        read_profile(tmp_path / "profile.json")
