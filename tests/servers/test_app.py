"""What all patterns share over HTTP: messages added, schedules changed, statistics, refusals."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.http1 import connected, run
from tests.server_process import ServerProcess, serving

REFUSALS: list[tuple[str, str, bytes, int, str]] = [
    ("GET", "/api/poll?last_id=x", b"", 400, "last_id"),
    ("GET", "/api/poll?last_id=-1", b"", 400, "last_id"),
    ("GET", "/api/poll?last_id=", b"", 400, "last_id"),
    ("GET", "/api/poll?last_id=9007199254740992", b"", 400, "last_id"),
    ("GET", "/api/poll?last_id=1&last_id=2", b"", 400, "last_id"),
    ("GET", "/api/poll?last_id=%ff", b"", 400, "query"),
    ("GET", "/api/longpoll?last_id=1.0", b"", 400, "last_id"),
    ("GET", "/api/stream?last_id=1e3", b"", 400, "last_id"),
    ("GET", "/api/events?last_id=null", b"", 400, "last_id"),
    ("GET", "/api/socket?last_id=null", b"", 400, "last_id"),
    ("GET", "/api/updates?last_id=null", b"", 400, "last_id"),
    ("GET", "/api/published?last_id=-1", b"", 400, "last_id"),
    ("GET", "/nowhere", b"", 404, "path"),
    ("GET", "/", b"", 404, "path"),
    ("POST", "/api/message", b"", 400, "content"),
    ("POST", "/api/message?content=", b"", 400, "content"),
    ("POST", "/api/message?content=a&content=b", b"", 400, "content"),
    ("POST", "/api/message?content=a", b"b", 400, "content"),
    ("POST", "/api/message", b"\xff\xfe", 400, "content"),
    ("POST", "/api/message", b"x" * 1_000_001, 413, "body"),
    ("PUT", "/api/schedule", b"", 400, "body"),
    ("PUT", "/api/schedule", b"[]", 400, "body"),
    ("PUT", "/api/schedule", b"{", 400, "body"),
    ("PUT", "/api/schedule", b'{"schedule": "never"}', 400, "schedule"),
    ("PUT", "/api/schedule", b'{"schedule": 5}', 400, "schedule"),
    ("PUT", "/api/schedule", b'{"message_bytes": -1}', 400, "message_bytes"),
    ("PUT", "/api/schedule", b'{"message_bytes": true}', 400, "message_bytes"),
    ("PUT", "/api/schedule", b'{"message_bytes": "9"}', 400, "message_bytes"),
    ("PUT", "/api/schedule", b'{"message_byte": 9}', 400, "message_byte"),
]


def identify(refusal: tuple[str, str, bytes, int, str]) -> str:
    method, target, body, *_ = refusal
    return f"{method} {target} {body[:30].decode('ascii', 'replace')}"


@pytest.mark.parametrize("refusal", REFUSALS, ids=identify)
def test_a_bad_request_is_refused_with_the_field_that_is_wrong(
    server: ServerProcess, refusal: tuple[str, str, bytes, int, str]
) -> None:
    method, target, body, status, field = refusal

    async def check() -> None:
        async with connected(server.port) as client:
            response = await client.ask(target, method=method, body=body)
            refused = await response.json()
        assert (response.status, refused["field"]) == (status, field)
        assert len(refused["error"]) > 10
        assert response.headers["content-type"].startswith("application/json")

    run(check())


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/poll", "GET"),
        ("/api/longpoll", "GET"),
        ("/api/stream", "GET"),
        ("/api/progress", "GET"),
        ("/api/events", "GET"),
        ("/api/socket", "GET"),
        ("/api/updates", "GET"),
        ("/api/message", "POST"),
        ("/api/schedule", "PUT"),
        ("/api/published", "GET"),
        ("/clock", "GET"),
        ("/stats", "GET"),
    ],
)
def test_any_other_method_is_refused_with_what_is_allowed(server: ServerProcess, path: str, allowed: str) -> None:
    async def check() -> None:
        async with connected(server.port) as client:
            for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - {allowed}:
                response = await client.ask(path, method=method)
                assert (response.status, response.headers["allow"]) == (405, allowed)
                assert (await response.json())["field"] == "method"

    run(check())


@pytest.mark.parametrize(("target", "body"), [("?content=%E2%82%AC+5", b""), ("", "\u20ac 5".encode())])
def test_a_message_comes_from_the_query_or_from_the_body(server: ServerProcess, target: str, body: bytes) -> None:
    async def check() -> None:
        newest = server.stats()["newest_id"]
        async with connected(server.port) as client:
            response = await client.ask(f"/api/message{target}", method="POST", body=body)
            message = await response.json()
        assert response.status == 201
        assert (message["id"], message["content"]) == (newest + 1, "\u20ac 5")
        assert message["due_ns"] == message["published_ns"]
        assert message["timestamp"].endswith("Z")

    run(check())


def test_statistics_say_who_this_is_and_what_it_serves(server: ServerProcess) -> None:
    stats = server.stats()
    assert {name: stats[name] for name in ("token", "pid", "clock_id", "http_port", "http2_port")} == {
        name: server.ready[name] for name in ("token", "pid", "clock_id", "http_port", "http2_port")
    }
    assert stats["patterns"] == sorted(server.ready["patterns"])
    assert stats["schedule"] == "manual"
    assert {"newest_id", "first_id", "start_at_ns", "subscribers", "held", "streams"} <= stats.keys()


def test_the_schedule_and_the_length_of_messages_can_be_changed_while_it_runs() -> None:
    async def check(server: ServerProcess) -> None:
        async with connected(server.port) as client:

            async def put(wanted: dict[str, Any]) -> Any:
                response = await client.ask("/api/schedule", method="PUT", body=json.dumps(wanted).encode())
                assert response.status == 200
                return await response.json()

            assert (await put({"message_bytes": 7}))["schedule"] == "manual"
            in_force = await put({"schedule": "steady:100"})
            assert (in_force["schedule"], in_force["message_bytes"]) == ("steady:100", 7)
            answer = await (await client.ask("/api/longpoll?last_id=0")).json()
            assert len(answer["messages"][0]["content"]) == 7
            stats = await (await client.ask("/stats")).json()
            assert (stats["schedule"], stats["start_at_ns"]) == ("steady:100", in_force["start_at_ns"])
            first_due_ns = answer["messages"][0]["due_ns"]
            assert first_due_ns == in_force["start_at_ns"] + 10_000_000

    with serving("long_polling") as server:
        run(check(server))


def test_a_request_that_is_not_http_does_no_harm(server: ServerProcess) -> None:
    async def check() -> None:
        async with connected(server.port) as client:
            client.writer.write(b"\x16\x03\x01\x00\xa5nonsense\r\n\r\n")
            assert (await client.response()).status == 400
        async with connected(server.port) as client:
            assert (await client.ask("/stats")).status == 200

    run(check())


def test_what_was_published_is_told_as_the_journal_has_it(tmp_path: Path) -> None:
    journal = tmp_path / "published.csv"
    with serving("--journal", str(journal), "--history", "3") as server:
        for content in "abcde":
            server.post(content)

        lines = journal.read_bytes().splitlines(keepends=True)[1:]

        async def check() -> None:
            async with connected(server.port) as client:
                for last_id, told in ((3, lines[3:]), (0, lines[2:]), (5, [])):
                    response = await client.ask(f"/api/published?last_id={last_id}")
                    assert response.headers["content-type"].startswith("text/csv")
                    assert await response.read() == b"".join(told)

        run(check())
