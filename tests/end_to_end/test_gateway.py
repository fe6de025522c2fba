"""The gateway of a run that is going on: on loopback, with a token, described, and closed to everybody else."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

from tests.patience import PATIENCE_S, until

TOKEN = "a token of the test"
SCENARIO = """
name = "gated"
[sources.zeros]
command = "cat /dev/zero"
[stations.pass]
operator = "copy"
[stations.last]
command = "cat"
[sinks.nowhere]
"""


@dataclass
class Site:
    directory: Path
    port: int
    runner: subprocess.Popen[bytes]
    gateway: subprocess.Popen[str]

    def ask(self, method: str, path: str, body: Any = None, **headers: str | None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        given = {"Host": f"127.0.0.1:{self.port}", "Authorization": f"Bearer {TOKEN}", **headers}
        data = json.dumps(body).encode() if body is not None else b""
        given.setdefault("Content-Length", str(len(data)))
        for name, value in given.items():
            if value is not None:
                connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(data)
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        kind = reply.headers.get("Content-Type", "")
        return reply.status, json.loads(text) if "json" in kind else text.decode()


@contextmanager
def site(directory: Path) -> Iterator[Site]:
    (directory / "gated.toml").write_text(SCENARIO)
    environment = {**os.environ, "TMPDIR": str(directory), "STREAMSIM_TOKEN": TOKEN}
    command = [sys.executable, "-m", "streamsim"]
    runner = subprocess.Popen([*command, "run", str(directory / "gated.toml")], env=environment)
    assert until(lambda: list(directory.glob("streamsim-*/run.json")))
    with (directory / "gateway.err").open("w") as errors:
        gateway = subprocess.Popen(
            [*command, "gateway", "gated"], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert gateway.stdout is not None
        line = gateway.stdout.readline()
        assert line.startswith("http://127.0.0.1:"), line
        yield Site(directory, int(line.split(":")[2].split("/")[0]), runner, gateway)
    finally:
        for process in (gateway, runner):
            process.send_signal(signal.SIGTERM)
        gateway.communicate(timeout=PATIENCE_S)
        runner.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("gateway")) as found:
        yield found


def test_the_document_is_valid_openapi_and_names_every_station(here: Site) -> None:
    status, document = here.ask("GET", "/openapi.json")
    assert status == 200
    validate(document)
    for path in ("/stations", "/metrics", "/stations/pass/set", "/stations/last/pause", "/stations/zeros"):
        assert path in document["paths"]


def test_stations_are_listed_read_and_called(here: Site) -> None:
    _, rows = here.ask("GET", "/stations")
    assert [row["station"] for row in rows] == ["zeros", "pass", "last"]
    assert here.ask("POST", "/stations/pass/pause") == (200, True)
    _, one = here.ask("GET", "/stations/pass")
    assert one["metrics"]["paused"] is True
    assert here.ask("POST", "/stations/pass/resume", {}) == (200, True)
    assert here.ask("POST", "/stations/last/set", {"niceness": 1})[1]["niceness"] == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/stations/nope/pause", {}, 404),
        ("/stations/pass/nope", {}, 404),
        ("/stations/pass/settle", {}, 404),
        ("/stations/pass/at", {"record": "x", "method": "pause"}, 422),
        ("/stations/pass/set", {"nope": 1}, 422),
        ("/stations/last/drain", {}, 404),
        ("/stations/last/set", {"niceness": 20}, 422),
        ("/stations/last/set", {"nicenes": 1}, 422),
        ("/stations/pass/pause", [1], 400),
        ("/nope", {}, 404),
        ("/stations", {}, 405),
    ],
)
def test_what_cannot_be_done_has_a_status_and_a_reason(here: Site, path: str, body: Any, status: int) -> None:
    found, answer = here.ask("POST", path, body)
    assert found == status
    assert answer["error"]


def test_prometheus_can_read_the_counters(here: Site) -> None:
    _, text = here.ask("GET", "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    moved = {sample.labels["station"]: sample.value for sample in families["streamsim_bytes_out"].samples}
    assert set(moved) == {"zeros", "pass", "last"}
    assert moved["pass"] > 0


def test_prometheus_can_tell_two_runs_of_one_scenario_apart(here: Site) -> None:
    _, text = here.ask("GET", "/metrics")
    labels = [sample.labels for family in text_string_to_metric_families(text) for sample in family.samples]
    (entry,) = here.directory.glob("streamsim-*/run.json")
    assert {(one["run"], one["scenario"]) for one in labels} == {(json.loads(entry.read_bytes())["id"], "gated")}


@pytest.mark.parametrize("path", ["/openapi.json", "/stations", "/metrics", "/nope"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic YTpi"}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Host": None}, 421),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Content_Length": "99999999"}, 413),
    ],
)
def test_nobody_gets_in_without_the_token_or_by_another_name(
    here: Site, path: str, headers: dict[str, str | None], status: int
) -> None:
    given = dict(headers)
    if given.get("Content_Length"):
        given = {"Content-Length": given["Content_Length"]}
    if "Host" in given and given["Host"] is None:
        given["Host"] = ""
    found, answer = here.ask("GET", path, **given)
    assert found == status
    assert "station" not in str(answer) or status == 401


def test_who_says_nothing_or_half_a_request_keeps_nobody_out(here: Site) -> None:
    with ExitStack() as stack:
        for number in range(200):
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", here.port), timeout=PATIENCE_S))
            silent.sendall(b"GET /stations HTTP/1.1\r\nHost: " if number % 2 else b"")
        for _ in range(3):
            status, stations = here.ask("GET", "/stations")
            assert (status, len(stations)) == (200, 3)
        assert len(list(Path(f"/proc/{here.gateway.pid}/fd").iterdir())) < 120


def test_who_hangs_up_in_the_middle_of_a_request_gets_and_leaves_nothing(here: Site) -> None:
    head = (
        f"POST /stations/pass/adjustable HTTP/1.1\r\nHost: 127.0.0.1:{here.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
    )
    with socket.create_connection(("127.0.0.1", here.port), timeout=PATIENCE_S) as one:
        one.sendall(f"{head}Content-Length: 20\r\n\r\n{{".encode())
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1 << 16) == b""
    assert here.ask("POST", "/stations/pass/adjustable")[0] == 200
    assert (here.directory / "gateway.err").read_text() == ""


def test_it_listens_on_loopback_only(here: Site) -> None:
    port = f"{here.port:04X}"
    listening = [
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    ]
    assert [address for address in listening if address.endswith(f":{port}")] == [f"0100007F:{port}"]


def test_it_ends_with_the_run(tmp_path: Path) -> None:
    with site(tmp_path) as one:
        one.runner.send_signal(signal.SIGTERM)
        assert one.gateway.wait(PATIENCE_S) == 0
