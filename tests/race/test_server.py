"""What the race adds to a server, asked without a browser: lanes, the rule of origins, refusals."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import psutil
import pytest

from servers.palette import KNOWN
from tests.server_process import HANG_S, ServerProcess, serving


def ask(
    race: ServerProcess, path: str, method: str = "GET", body: object = None, origin: str = ""
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return status, JSON and headers of an answer."""
    url = path if path.startswith("http") else f"http://127.0.0.1:{race.port}{path}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Origin": origin} if origin else {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=HANG_S) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused), dict(refused.headers)


def lane(race: ServerProcess, name: str) -> dict[str, Any]:
    return next(dict(each) for each in ask(race, "/race/state")[1]["lanes"] if each["name"] == name)


def test_every_lane_leads_to_the_same_feed_from_an_origin_of_its_own(race: ServerProcess) -> None:
    newest = race.post("one for all")
    lanes = ask(race, "/race/state")[1]["lanes"]
    assert len({each["url"].split("/")[2] for each in lanes}) == 5
    for each in lanes[1:3]:
        assert ask(race, f"{each['url']}?last_id={newest - 1}")[1]["messages"][0]["id"] == newest


def test_a_lane_has_the_colour_of_the_report_and_what_has_no_lane_is_told(race: ServerProcess) -> None:
    state = ask(race, "/race/state")[1]
    for each in state["lanes"]:
        assert (each["light"], each["dark"]) == (KNOWN[each["name"]].line, KNOWN[each["name"]].dark)
    assert state["without"] == []


def test_the_own_page_may_read_a_lane_and_sees_retry_after(race: ServerProcess) -> None:
    race.post("to read")
    for host in ("127.0.0.1", "localhost"):
        origin = f"http://{host}:{race.port}"
        status, _, headers = ask(race, lane(race, "short_polling")["url"], origin=origin)
        assert status == 200
        assert headers["Access-Control-Allow-Origin"] == origin
        assert headers["Vary"] == "Origin"
        assert "Retry-After" in headers["Access-Control-Expose-Headers"]


def test_errors_can_be_read_by_the_own_page_too(race: ServerProcess) -> None:
    origin = f"http://127.0.0.1:{race.port}"
    url = lane(race, "long_polling")["url"]
    status, said, headers = ask(race, f"{url}?last_id=x", origin=origin)
    assert (status, said["field"]) == (400, "last_id")
    assert headers["Access-Control-Allow-Origin"] == origin


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:443"])
@pytest.mark.parametrize("path", ["/race/state", "/api/poll", "/stats"])
def test_any_other_origin_is_refused_by_name(race: ServerProcess, path: str, origin: str) -> None:
    status, said, headers = ask(race, path, origin=origin)
    assert (status, said["field"]) == (403, "Origin")
    assert origin in said["error"]
    assert "Access-Control-Allow-Origin" not in headers


def test_a_server_outside_a_race_sends_no_cors_headers(server: ServerProcess) -> None:
    server.post("not for pages")
    status, _, headers = ask(server, "/api/poll", origin=f"http://127.0.0.1:{server.port}")
    assert status == 200
    assert not [name for name in headers if name.startswith("Access-Control")]


def test_only_what_pages_ask_for_is_counted(race: ServerProcess) -> None:
    before = lane(race, "short_polling")
    url, newest = before["url"], race.post("counted")
    ask(race, url)
    for last_id in (newest - 1, newest, newest):
        ask(race, f"{url}?last_id={last_id}", origin=f"http://127.0.0.1:{race.port}")
    after = lane(race, "short_polling")
    assert after["requests"] - before["requests"] == 3
    assert after["empty"] - before["empty"] == 2
    assert after["bytes"] > before["bytes"]
    assert after["connections"] - before["connections"] == 4


@pytest.mark.parametrize("rtt_ms", [None, "40", True, -1, 5001, [1]])
def test_a_round_trip_that_cannot_be_is_refused(race: ServerProcess, rtt_ms: object) -> None:
    status, said, _ = ask(race, "/race/rtt", "PUT", {"rtt_ms": rtt_ms})
    assert (status, said["field"]) == (400, "rtt_ms")
    assert "0 to 5000" in said["error"]


def test_the_round_trip_of_all_lanes_can_be_set(race: ServerProcess) -> None:
    assert ask(race, "/race/rtt", "PUT", {"rtt_ms": 12.5})[1]["rtt_ms"] == 12.5
    assert ask(race, "/race/state")[1]["rtt_ms"] == 12.5
    assert ask(race, "/race/rtt", "PUT", {"rtt_ms": 40})[0] == 200


def test_a_cut_ends_what_is_held(race: ServerProcess) -> None:
    with socket.create_connection(("127.0.0.1", int(lane(race, "chunked")["url"].split("/")[2].split(":")[1]))) as held:
        held.settimeout(HANG_S)
        held.sendall(b"GET /api/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        assert held.recv(4096).startswith(b"HTTP/1.1 200")
        assert ask(race, "/race/cut", "POST")[0] == 200
        with pytest.raises(ConnectionResetError):
            while held.recv(65_536):
                pass


def test_settings_are_asked_for_over_http2(race: ServerProcess) -> None:
    status, said, _ = ask(race, "/race/settings")
    assert (status, said["field"]) == (404, "protocol")


def test_the_root_leads_to_the_page(race: ServerProcess) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{race.port}/", timeout=HANG_S) as page:
        assert page.url.endswith("/race/")
        assert b"<!doctype html>" in page.read()
        assert page.headers["Cache-Control"] == "no-cache"


def test_a_lane_that_is_lost_is_named() -> None:
    race = ServerProcess("sse", module="servers.race")
    try:
        psutil.Process(race.process.pid).children()[0].kill()
        status, said, _ = ask(race, "/race/state")
        assert (status, said["field"]) == (503, "lane")
        assert "the relay in front of sse" in said["error"]
    finally:
        assert race.stop()[0] == 0


def test_a_race_can_be_run_with_some_of_the_patterns() -> None:
    with serving("sse", "http2_push", module="servers.race") as race:
        state = ask(race, "/race/state")[1]
        assert [each["name"] for each in state["lanes"]] == ["sse"]
        assert state["http2_page"].startswith("https://127.0.0.1:")


def test_a_race_for_other_machines_is_refused() -> None:
    command = [sys.executable, "-m", "servers.race", "--host", "0.0.0.0", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --host '0.0.0.0' must be 127.0.0.1")
    assert done.stderr.count("\n") == 1


def test_a_taken_port_is_exit_code_three_and_leaves_no_relay() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "servers.race", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "choose with --port" in done.stderr
