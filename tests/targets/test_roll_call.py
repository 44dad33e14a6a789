"""Nothing is measured before every client has heard; what is wrong is named, with what came and the likely cause."""

import base64
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.runs.foreign.roll_call import cause
from servers.web.free_port import free_port
from tests.forked import Forked, ran

FAILED = 1
GOOD = ("/events/good", "/messages/good")
SECRET = "s3cr3t-of-a-test"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


@pytest.fixture(scope="module")
def wrong() -> Iterator[str]:
    port = str(free_port())
    with Forked("tests.targets.wrong", port) as process:
        assert process.first_line() == "ready"
        yield f"http://127.0.0.1:{port}"


def run(folder: Path, url: str, publish: str, *more: str, pattern: str = "sse") -> subprocess.CompletedProcess[str]:
    publish = publish if " " in publish else f"POST {publish} {{{{message}}}}"
    words = ["run", pattern, "--url", url, "--publish", publish, "--set", "roll_call_s=3"]
    brief = ["--clients", "2", "--window", "1", "--out", str(folder)]
    return ran(*words, *more, *brief, env=os.environ | {"TOKEN_OF_A_TEST": SECRET}, timeout=180)


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("path", "publish", "says"),
    [
        (
            "/nowhere",
            GOOD[1],
            r"client [12]: the server answered HTTP/1.1 404 .*likely: there is no such path",
        ),
        ("/guarded", GOOD[1], r"401 Unauthorized; .*WWW-Authenticate: Bearer.*who are you.*it requires a login"),
        ("/login", GOOD[1], r"200 OK.*<!DOCTYPE html>.*likely: it is a web page, perhaps a login"),
        ("/moved", GOOD[1], r"302 Found.*likely: it redirects to /login\?next=events: name that URL"),
        ("/events/json", GOOD[1], r"an event stream says Content-Type: text/event-stream, this says application/json"),
        ("/events/endless", GOOD[1], r"0 of 2 clients.*our message came, but its end did not: .*empty line"),
        (GOOD[0], "/messages/cut", r"a tracer begins and does not end: the server cuts messages or changes them"),
        (GOOD[0], "/messages/upper", r"the server changes the text of messages"),
        (GOOD[0], "/messages/swallow", r"of \d+ that the server took; .*check that publishing goes to the channel"),
        (GOOD[0], "/messages/refuse", r"did not take a message: POST: the server answered 503 .*no room"),
    ],
)
def test_what_keeps_clients_from_hearing_is_named(
    path: str, publish: str, says: str, wrong: str, tmp_path: Path
) -> None:
    done = run(tmp_path / "run", f"{wrong}{path}", publish)
    assert done.returncode == FAILED, done.stderr
    assert re.search(says, " ".join(done.stderr.split())), done.stderr
    assert "roll call" in done.stderr
    assert "Traceback" not in done.stderr + (next((tmp_path / "run").rglob("load.log"))).read_text()


@pytest.mark.parametrize(
    ("pattern", "path", "publish", "more", "says"),
    [
        (
            "sse",
            GOOD[0],
            "/messages/expired",
            ("--set", "publish.expect=regex ok"),
            r"did not take a message: POST: the server answered 200 .*your session has expired",
        ),
        ("sse", GOOD[0], "websocket /idle {{message}}", (), r"did not take a message: WebSocket /idle: .*code 4001"),
        ("long_polling", "/poll", GOOD[1], (), r"200 OK.*your session has expired.*likely: its session is over"),
    ],
)
def test_a_session_that_expires_while_it_is_idle_is_named(
    pattern: str, path: str, publish: str, more: tuple[str, ...], says: str, wrong: str, tmp_path: Path
) -> None:
    done = run(tmp_path / "run", f"{wrong}{path}", publish, *more, pattern=pattern)
    assert done.returncode == FAILED, done.stderr
    assert re.search(says, " ".join(done.stderr.split())), done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_goes_to_the_server_and_stands_nowhere_even_if_the_server_repeats_it(
    wrong: str, tmp_path: Path
) -> None:
    header = "headers.Authorization=Bearer {{env.TOKEN_OF_A_TEST}}"
    basic = "headers.Authorization=Basic {{env.TOKEN_OF_A_TEST|base64}}"
    done = run(tmp_path / "basic", f"{wrong}{GOOD[0]}", "/messages/login", "--set", basic)
    assert "who is Basic [hidden]?" in done.stderr
    assert base64.b64encode(SECRET.encode()) not in everything(tmp_path / "basic")
    for name, publish in (("silent", "/messages/swallow"), ("refused", "/messages/login"), ("good", GOOD[1])):
        done = run(tmp_path / name, f"{wrong}{GOOD[0]}", publish, "--set", header)
        assert SECRET not in done.stderr + done.stdout
        assert SECRET.encode() not in everything(tmp_path / name), name
        assert b"{{env.TOKEN_OF_A_TEST}}" in everything(tmp_path / name)
        assert (done.returncode == FAILED) == (name != "good"), done.stderr
        if name != "good":
            assert "Bearer [hidden]" in done.stderr


@pytest.mark.parametrize(
    ("pattern", "said", "failed", "likely"),
    [
        ("sse", b"", {"refused": 3}, "no server listens there"),
        ("sse", b"", {}, "the server keeps the request and says nothing"),
        ("sse", b"", {"reset": 2}, "the server breaks the connection off"),
        ("sse", b"\x15\x03\x01\x00\x02", {"protocol": 1}, "it does not speak HTTP here: check scheme"),
        ("sse", b"HTTP/1.1 429 Too Many\r\n\r\n", {}, "it limits how often it is asked"),
        ("sse", b"HTTP/1.1 500 Oops\r\n\r\n", {}, "the request is not what it expects (500)"),
        ("sse", EVENTS, {}, "it listens to us and is silent"),
        ("sse", EVENTS + b"data: hello\n\n", {}, "the server talks, but of nothing that we published"),
        ("sse", EVENTS + b"data: pb0bad.7.1.2.z\n\n", {}, "only another run's messages came: put {{run}}"),
        ("websocket", b"HTTP/1.1 200 OK\r\n\r\n", {}, "it answers, but opens no WebSocket"),
        ("chunked", b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n\x8b", {}, "it compresses without being asked"),
    ],
)
def test_every_answer_has_a_likely_cause(pattern: str, said: bytes, failed: dict[str, int], likely: str) -> None:
    assert likely in cause(pattern, "0af3", said, failed)
