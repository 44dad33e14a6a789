"""The outlet publishes to servers that are not ours, and says at once and in one line when one does not let it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import pytest

from servers.targets.reading import read_adapter
from servers.targets.tracer import Scanner, Trace
from servers.targets.url import base_url
from tests.server_process import ROOT

FOREIGN = f'command = "{sys.executable} {ROOT / "tests/targets/foreign.py"} {{{{port}}}} MODE"\n'
BY_REQUEST = '[publish]\nrequest = "POST /messages"\n'
RUN = "0af3"


def command(folder: Path, toml: str, *more: str) -> list[str]:
    """Return what starts an outlet with an adapter; its journals are in the folder."""
    file = folder / "adapter.json"
    file.write_bytes(msgspec.json.encode(read_adapter(toml, "adapter.toml")))
    journals = ["--journal", str(folder / "published.csv"), "--accepted", str(folder / "accepted.csv")]
    return [sys.executable, "-m", "servers.outlet", "--adapter", str(file), "--run", RUN, *journals, *more]


@contextmanager
def outlet(folder: Path, toml: str, *more: str) -> Iterator[dict[str, Any]]:
    """Run one until the block ends; give what it announced."""
    with subprocess.Popen(command(folder, toml, *more), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            assert process.wait(30) == 0


def ask(said: dict[str, Any], path: str, body: bytes | None = None, method: str = "GET") -> dict[str, Any]:
    with urlopen(Request(f"http://127.0.0.1:{said['http_port']}{path}", body, method=method)) as answer:
        return dict(json.load(answer))


def refused(folder: Path, toml: str, *more: str) -> tuple[int, str]:
    done = subprocess.run(command(folder, toml, *more), cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


def rows(file: Path) -> list[tuple[int, ...]]:
    return [tuple(map(int, line.split(","))) for line in file.read_text().splitlines()[1:]]


def publish(said: dict[str, Any], count: int) -> None:
    for _ in range(count):
        ask(said, "/api/message", b"x" * 80, "POST")


def test_what_is_published_arrives_with_its_tracer_and_is_journalled_with_when_it_was_taken(tmp_path: Path) -> None:
    with outlet(tmp_path, FOREIGN.replace("MODE", "") + BY_REQUEST) as said:
        with urlopen(f"{said['target'].rstrip('/')}/events") as events:
            publish(said, 3)
            scanner = Scanner(RUN)
            found: list[Trace] = []
            while len(found) < 3:
                found += scanner.scan(events.readline())
        assert ask(said, "/stats")["backplane"]["taken"] == 3
        assert said["pids"]
        assert said["pids"] != [said["pid"]]
    published, accepted = rows(tmp_path / "published.csv"), rows(tmp_path / "accepted.csv")
    assert [(one.id, one.due_ns, one.published_ns) for one in found] == published
    assert [number for number, _ in accepted] == [1, 2, 3]
    assert all(taken_ns > sent_ns for (_, taken_ns), (_, _, sent_ns) in zip(accepted, published, strict=True))


def test_a_schedule_is_followed_and_its_end_waits_for_what_is_under_way(tmp_path: Path) -> None:
    with outlet(tmp_path, FOREIGN.replace("MODE", "") + BY_REQUEST) as said:
        ask(said, "/api/schedule", b'{"schedule": "burst:40/0.05"}', "PUT")
        while ask(said, "/stats")["newest_id"] < 80:
            pass
        ask(said, "/api/schedule", b'{"schedule": "manual"}', "PUT")
        state = ask(said, "/stats")
        assert state["backplane"]["under_way"] == 0
        assert state["backplane"]["taken"] == state["newest_id"]
    assert [number for number, _, _ in rows(tmp_path / "published.csv")] == list(range(1, state["newest_id"] + 1))


@pytest.mark.parametrize(
    ("mode", "publishing", "says"),
    [
        ("refuse", "", "POST: the server answered 503 .*retry-after: 7.*no room"),
        ("swallow", "expect = 'regex \"ok\": ?true'\n", "POST: the server answered 202"),
    ],
)
def test_a_message_that_was_not_taken_is_said_with_what_came_instead(
    mode: str, publishing: str, says: str, tmp_path: Path
) -> None:
    with outlet(tmp_path, FOREIGN.replace("MODE", mode) + BY_REQUEST + publishing) as said:
        with pytest.raises(HTTPError) as told:
            publish(said, 1)
        told.value.close()
        assert told.value.code == 503
        problem = ask(said, "/stats")["backplane"]
        assert problem["refused"] == 1
        assert re.search(says, problem["problem"]), problem
    assert rows(tmp_path / "accepted.csv") == [(1, 0)]


def test_a_pipe_gets_a_line_a_message(tmp_path: Path) -> None:
    taken = tmp_path / "lines"
    toml = FOREIGN.replace("MODE", "") + f"[publish]\npipe = \"sh -c 'cat > {taken}'\"\n"
    with outlet(tmp_path, toml) as said:
        publish(said, 3)
    lines = taken.read_bytes().splitlines()
    assert [Scanner(RUN).scan(line)[0].id for line in lines] == [1, 2, 3]
    assert all(len(line) == 80 for line in lines)


def test_a_websocket_carries_a_message_a_frame(tmp_path: Path) -> None:
    toml = FOREIGN.replace("MODE", "") + '[publish]\nwebsocket = "/socket"\n'
    with outlet(tmp_path, toml) as said, urlopen(f"{said['target'].rstrip('/')}/events") as events:
        publish(said, 1)
        found: list[Trace] = []
        while not found:
            found = Scanner(RUN).scan(events.readline())
    assert found[0].id == 1


@pytest.mark.parametrize(
    ("toml", "more", "says"),
    [
        (BY_REQUEST, ("--url", "http://127.0.0.1:1"), "http://127.0.0.1:1 cannot be reached: no server listens there"),
        ('command = "false"\n' + BY_REQUEST, (), "cannot be reached: the command ended with exit code 1"),
        ('command = "no-such-program"\n' + BY_REQUEST, (), "command 'no-such-program' cannot be started"),
        ('[publish]\npipe = "no-such-program"\n', (), "publish.pipe 'no-such-program' cannot be started"),
        (
            '[publish]\nrequest = "POST /"\nconnect = [{ request = "GET /nowhere" }]\n',
            (),
            "connect: GET: the server answered 404",
        ),
        ('[publish]\nwebsocket = "/events"\n', (), "WebSocket /events: "),
        (
            '[publish]\nrequest = "POST /"\nconnect = [{ request = "GET /{{env.NOT_SET_HERE}}" }]\n',
            (),
            "{{env.NOT_SET_HERE}}: the environment variable NOT_SET_HERE is not set; export it first",
        ),
    ],
)
def test_what_does_not_let_us_in_is_named_in_one_line(
    toml: str, more: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    started = toml if more or "command" in toml else FOREIGN.replace("MODE", "") + toml
    code, told = refused(tmp_path, started, *more)
    assert code == 3
    assert says in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("staging.example/events", "is not a URL such as"),
        ("ftp://staging.example", "is not a URL such as"),
        ("http://a:b@staging.example", "has a user or a password in it"),
        ("http://staging.example/?a=1", "has a query or a fragment"),
        ("http://[::1", "is not a URL such as"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_remedy(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        base_url(text)


def test_a_password_in_a_url_is_never_repeated() -> None:
    with pytest.raises(ValueError, match="user or a password") as told:
        base_url("http://me:secret@staging.example")
    assert "secret" not in str(told.value)
