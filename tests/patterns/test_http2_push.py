"""HTTP/2 push: what is pushed, what is not, and that the client is told which of the two it gets."""

import asyncio
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable
from threading import Timer
from typing import cast

import msgspec
import pytest
from h2.events import InformationalResponseReceived, PushedStreamReceived
from h2.settings import SettingCodes

from loadtests.protocols.events import Closed, Event, Head, Message
from loadtests.protocols.push_decoder import PushDecoder
from servers.feed.feed import Feed
from servers.feed.history import History
from servers.http2 import PushedResponse, Pusher
from servers.patterns.http2_push import BATCH, PATH, PushedUpdates, page_routes
from servers.settings.options import ServerOptions
from tests import http1
from tests.http2.h2_peer import Peer, connected, run, served
from tests.server_process import HANG_S, ServerProcess, serving

NO_PUSH = {SettingCodes.ENABLE_PUSH: 0}


def port_of(server: ServerProcess) -> int:
    assert server.http2_port is not None
    return server.http2_port


async def following(peer: Peer, target: str = PATH) -> int:
    """Ask for updates; return the stream once its head is there."""
    stream_id = peer.request(target)
    await peer.until(lambda: bool(peer.streams[stream_id].headers))
    return stream_id


def test_a_message_is_pushed_as_the_answer_to_a_get_that_also_answers_itself(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.post("hello")
        async with connected(port_of(server)) as peer:
            await following(peer, f"{PATH}?last_id={newest - 1}")
            await peer.until(lambda: len(peer.pushed()) == 1)
            (pushed,) = peer.pushed()
            assert pushed.promised[":path"] == f"/api/messages/{newest}"
            asked = await peer.get(pushed.promised[":path"])
            assert (asked.body, asked.headers["content-type"]) == (pushed.body, pushed.headers["content-type"])
            assert msgspec.json.decode(pushed.body)["content"] == "hello"

    run(check())


def test_the_head_says_whether_updates_are_pushed_or_inline(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.post("hello")
        for settings, mode in ((None, "pushed"), (NO_PUSH, "inline")):
            async with connected(port_of(server), settings) as peer:
                stream = peer.streams[await following(peer, f"{PATH}?last_id={newest - 1}")]
                assert stream.headers["x-updates-mode"] == mode
                await peer.until(lambda: b"hello" in stream.body or bool(peer.pushed()))  # noqa: B023
                assert bool(peer.seen(PushedStreamReceived)) == (mode == "pushed")

    run(check())


def test_a_client_that_refuses_pushes_gets_the_lines_of_chunked_streaming(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.post("inline")
        async with connected(port_of(server), NO_PUSH) as peer:
            stream = peer.streams[await following(peer, f"{PATH}?last_id={newest - 1}")]
            await peer.until(lambda: stream.body.count(b"\n") >= 3)
            lines = [msgspec.json.decode(line) for line in stream.body.splitlines()[:3]]
            assert [line.get("type") for line in lines] == ["connected", None, "heartbeat"]
            assert (lines[1]["id"], lines[1]["content"]) == (newest, "inline")

    run(check())


class TakesAll:
    """What a pattern needs of a pusher, for a client that takes whatever it is given."""

    enabled = True

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.ended = ""

    def push(self, responses: Iterable[PushedResponse]) -> int:
        ids = [int(response.path.rpartition(b"/")[2]) for response in responses]
        self.ids += ids
        return len(ids)

    def on_room(self, callback: Callable[[], None]) -> None:
        """There is always room."""

    def end(self, reason: str) -> None:
        self.ended = reason


def test_what_comes_before_a_hole_is_pushed_then_the_client_must_ask_again_and_be_told() -> None:
    async def check() -> None:
        feed = Feed(History(100, 10**6))
        feed.deliver([(1, b'{"id":1,"x":0}'), (2, b'{"id":2,"x":0}'), (5, b'{"id":5,"x":0}')])
        updates = PushedUpdates(feed, ServerOptions())
        first, second = TakesAll(), TakesAll()
        await updates.follow(cast(Pusher, first), 0)
        assert (first.ids, first.ended[:8]) == ([1, 2], "too slow")
        following = asyncio.create_task(updates.follow(cast(Pusher, second), 2))
        await http1.until(lambda: second.ids == [5])
        feed.deliver([(6, b'{"id":6,"x":0}')])
        assert (second.ids, second.ended) == ([5, 6], "")
        following.cancel()

    run(check())


def test_http1_gets_the_same_lines(server: ServerProcess) -> None:
    async def check() -> None:
        newest = server.post("over HTTP/1.1")
        async with http1.connected(server.port) as client:
            response = await client.ask(f"{PATH}?last_id={newest - 1}")
            assert response.headers["x-updates-mode"] == "inline"
            lines = response.lines()
            assert [msgspec.json.decode(await anext(lines)).get("id") for _ in range(2)] == [None, newest]
            await lines.aclose()

    run(check())


@pytest.mark.parametrize(("settings", "status"), [(None, "400"), (NO_PUSH, "400")])
@pytest.mark.parametrize("last_id", ["x", "-1", "1.5", "99999999999999999999", ""])
def test_a_bad_cursor_is_refused_by_name(
    server: ServerProcess, settings: dict[SettingCodes, int] | None, status: str, last_id: str
) -> None:
    async def check() -> None:
        async with connected(port_of(server), settings) as peer:
            response = await peer.get(f"{PATH}?last_id={last_id}")
            assert response.headers[":status"] == status
            assert msgspec.json.decode(response.body)["field"] == "last_id"

    run(check())


@pytest.mark.parametrize(
    ("path", "status", "field"), [("x", "400", "id"), ("0", "404", "id"), ("999999999", "404", "id")]
)
def test_a_message_that_is_not_there_is_said_so(server: ServerProcess, path: str, status: str, field: str) -> None:
    async def check() -> None:
        async with connected(port_of(server)) as peer:
            response = await peer.get(f"/api/messages/{path}")
            assert response.headers[":status"] == status
            assert msgspec.json.decode(response.body)["field"] == field

    run(check())


def test_a_backlog_longer_than_a_turn_arrives_in_order(server: ServerProcess) -> None:
    async def check() -> None:
        async with http1.connected(server.port) as publisher:
            posted = [await publisher.post("backlog") for _ in range(2 * BATCH + 5)]
        async with connected(port_of(server)) as peer:
            await following(peer, f"{PATH}?last_id={posted[0] - 1}")
            await peer.until(lambda: len(peer.pushed()) == len(posted))
            assert [msgspec.json.decode(one.body)["id"] for one in peer.pushed()] == posted

    run(check())


@pytest.mark.parametrize("settings", [{SettingCodes.INITIAL_WINDOW_SIZE: 10}, {SettingCodes.MAX_CONCURRENT_STREAMS: 1}])
def test_a_narrow_client_gets_everything_too(server: ServerProcess, settings: dict[SettingCodes, int]) -> None:
    async def check() -> None:
        async with connected(port_of(server), settings) as peer:
            await following(peer, f"{PATH}?last_id={server.stats()['newest_id']}")
            async with http1.connected(server.port) as publisher:
                posted = [await publisher.post("x" * 50) for _ in range(20)]
            await peer.until(lambda: len(peer.pushed()) == 20)
            assert [msgspec.json.decode(one.body)["id"] for one in peer.pushed()] == posted

    run(check())


@pytest.mark.parametrize(
    "settings",
    [{SettingCodes.INITIAL_WINDOW_SIZE: 0}, {SettingCodes.MAX_CONCURRENT_STREAMS: 0}],
    ids=["window", "streams"],
)
def test_a_client_that_takes_nothing_is_closed_with_a_reason(
    server: ServerProcess, settings: dict[SettingCodes, int]
) -> None:
    """100 pushes may be open; behind them 65,536 bytes may wait on this server, which is 65 of these messages."""

    async def check() -> None:
        async with connected(port_of(server), settings) as peer:
            stream = peer.streams[await following(peer, f"{PATH}?last_id={server.stats()['newest_id']}")]
            async with http1.connected(server.port) as publisher:
                for _ in range(180):
                    await publisher.post("x" * 1_000)
            await peer.until(lambda: stream.ended)
            assert stream.trailers["x-closed-reason"].startswith("too slow")
            assert len(peer.seen(PushedStreamReceived)) <= 100
            await peer.round_trip()

    run(check())


def test_a_client_that_stops_taking_pushes_is_told_to_ask_again(server: ServerProcess) -> None:
    async def check() -> None:
        async with connected(port_of(server)) as peer:
            stream = peer.streams[await following(peer, f"{PATH}?last_id={server.stats()['newest_id']}")]
            peer.h2.update_settings({SettingCodes.ENABLE_PUSH: 0})
            peer.flush()
            await peer.until(lambda: stream.ended)
            assert stream.trailers["x-closed-reason"].startswith("no more pushes")
            inline = peer.streams[await following(peer)]
            assert inline.headers["x-updates-mode"] == "inline"

    run(check())


def test_resetting_a_push_leaves_the_rest_alone(server: ServerProcess) -> None:
    async def check() -> None:
        async with connected(port_of(server), {SettingCodes.INITIAL_WINDOW_SIZE: 0}) as peer:
            await following(peer, f"{PATH}?last_id={server.stats()['newest_id']}")
            server.post("refused")
            await peer.until(lambda: 2 in peer.streams)
            peer.h2.reset_stream(2, 8)
            peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10_000})
            peer.flush()
            server.post("taken")
            await peer.until(lambda: len(peer.pushed()) == 1)
            assert msgspec.json.decode(peer.pushed()[0].body)["content"] == "taken"

    run(check())


def test_the_page_pushes_its_assets_and_they_can_be_asked_for(server: ServerProcess) -> None:
    async def check() -> None:
        async with connected(port_of(server)) as peer:
            page = await peer.get("/index.html")
            await peer.until(lambda: len(peer.pushed()) == 2)
            by_path = {one.promised[":path"]: one for one in peer.pushed()}
            assert set(by_path) == {"/style.css", "/script.js"}
            for path, pushed in by_path.items():
                assert path.encode() in page.body
                asked = await peer.get(path)
                assert (asked.body, asked.headers["content-type"]) == (pushed.body, pushed.headers["content-type"])
        async with connected(port_of(server), NO_PUSH) as peer:
            assert (await peer.get("/index.html")).body == page.body
            assert not peer.seen(PushedStreamReceived)

    run(check())


@pytest.mark.parametrize(
    ("page", "settings", "mode", "interim", "pushes", "links"),
    [
        ("plain", None, "plain", 0, 0, False),
        ("preload", None, "preload", 0, 0, True),
        ("hints", None, "hinted", 1, 0, False),
        ("push", None, "pushed", 0, 2, False),
        ("push", NO_PUSH, "refused", 0, 0, False),
    ],
)
def test_a_page_tells_of_its_assets_as_asked_and_says_what_came_of_it(
    page: str, settings: dict[SettingCodes, int] | None, mode: str, interim: int, pushes: int, *, links: bool
) -> None:
    async def check() -> None:
        async with served(page_routes(ServerOptions(page=page))) as (port, _), connected(port, settings) as peer:
            answer = await peer.get("/index.html")
            assert answer.headers["x-page-mode"] == mode
            assert ("link" in answer.headers) == links
            seen = peer.seen(InformationalResponseReceived)
            hints = [str(name) + str(value) for one in seen for name, value in one.headers]
            assert [hint for hint in hints if hint.startswith(":status")] == [":status103"] * interim
            assert sum(hint.startswith("link</") for hint in hints) == 2 * interim
            assert len(peer.seen(PushedStreamReceived)) == pushes

    run(check())


def test_over_http_1_a_page_hints_at_nothing_and_there_are_no_settings() -> None:
    with serving("http2_push", "--page", "hints") as server:

        async def check() -> None:
            async with http1.connected(server.port) as client:
                page = await client.ask("/index.html")
                assert (page.status, page.headers["x-page-mode"]) == (200, "unhinted")
                await page.read()
                assert (await client.ask("/settings")).status == 404

        run(check())


@pytest.mark.peer
def test_nghttp_sees_the_hint_before_the_page() -> None:
    with serving("http2_push", "--page", "hints", "--page-think", "0.1") as server:
        said = tool("nghttp", "-nv", "--no-dep", f"http://127.0.0.1:{server.http2_port}/index.html")
    assert re.findall(r"stream_id=1(?:, sensitive)?\) :status: (\d+)", said) == ["103", "200"]
    assert said.count("rel=preload") == 2


def test_the_load_side_reads_what_the_server_pushes(server: ServerProcess) -> None:
    posted = [server.post(f"message {number}") for number in range(20)]
    decoder = PushDecoder(f"127.0.0.1:{port_of(server)}", f"{PATH}?last_id={posted[0] - 1}")
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=HANG_S) as sock:
        events: list[Event] = []
        while sum(isinstance(event, Message) for event in events) < 20:
            sock.sendall(decoder.take_output())
            events += decoder.receive(sock.recv(65_536))
    head, *pushed = events
    assert head == Head(200, "pushed")
    assert [msgspec.json.decode(one.body)["id"] for one in pushed if isinstance(one, Message)] == posted
    assert all(isinstance(one, Message) and one.pushed for one in pushed)


def test_the_load_side_is_told_why_a_stream_ends() -> None:
    server = ServerProcess("http2_push")
    decoder = PushDecoder(f"127.0.0.1:{port_of(server)}", PATH)
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=HANG_S) as sock:
        events: list[Event] = []
        while not any(isinstance(event, Closed) for event in events):
            sock.sendall(decoder.take_output())
            events += decoder.receive(sock.recv(65_536))
            if events == [Head(200, "pushed")]:
                server.tell_to_stop()
    assert events[-1] == Closed("", "the server is stopping")
    assert server.stop() == (0, "")


def tool(*command: str, until: Callable[[str], bool] = lambda _: False) -> str:
    """Run a peer until it ends or `until` is content with what it has said; return all it said."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed; scripts/install-test-tools installs it")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    hang = Timer(HANG_S, process.kill)
    hang.start()
    said = ""
    with process, process.stdout as stdout:
        for line in stdout:
            said += line
            if until(said):
                process.terminate()
                break
    hang.cancel()
    return said


@pytest.mark.peer
def test_nghttp_sees_both_promises_before_the_page(server: ServerProcess) -> None:
    said = tool("nghttp", "-nv", "--no-dep", f"http://127.0.0.1:{server.http2_port}/index.html")
    frames = re.findall(r"recv (PUSH_PROMISE|HEADERS) frame <.*stream_id=(\d+)>", said)
    assert frames.index(("HEADERS", "1")) > max(at for at, one in enumerate(frames) if one[0] == "PUSH_PROMISE")
    assert [one for one in frames if one[0] == "PUSH_PROMISE"] == [("PUSH_PROMISE", "1")] * 2
    assert re.findall(r"stream_id=1(?:, sensitive)?\) :path: (.*)", said)[-2:] == ["/style.css", "/script.js"]
    assert {"2", "4"} == {number for kind, number in frames if kind == "HEADERS"} - {"1"}


@pytest.mark.peer
def test_nghttp_without_push_sees_no_promise(server: ServerProcess) -> None:
    said = tool("nghttp", "-nv", "--no-dep", "--no-push", f"http://127.0.0.1:{server.http2_port}/index.html")
    assert "recv DATA frame" in said
    assert "PUSH_PROMISE" not in said


@pytest.mark.peer
def test_nghttp_takes_more_updates_than_it_would_take_promises(server: ServerProcess) -> None:
    """nghttp2 cancels silently what is promised beyond 200 waiting streams; nothing is promised that early."""
    while server.post("for nghttp") < 290:
        pass
    newest = server.stats()["newest_id"]
    url = f"http://127.0.0.1:{server.http2_port}{PATH}?last_id={newest - 290}"
    # It writes to a pipe by blocks of 4 kB, so the last few stay in its memory.
    said = tool("nghttp", "-nv", "--no-dep", url, until=lambda said: said.count(":path: /api/messages/") > 270)
    paths = [int(number) for number in re.findall(r":path: /api/messages/(\d+)\n", said)]
    assert paths == list(range(newest - 289, newest - 289 + len(paths)))
    assert len(paths) > 250
    assert "RST_STREAM" not in said


@pytest.mark.peer
def test_node_takes_pushes_too(server: ServerProcess) -> None:
    newest = server.post("for node")
    script = f"""
        const session = require("http2").connect("http://127.0.0.1:{server.http2_port}");
        session.on("stream", (push, head) => {{
            push.resume();
            push.on("end", () => {{ console.log(head[":path"]); session.destroy(); }});
        }});
        session.request({{":path": "{PATH}?last_id={newest - 1}"}}).resume();
    """
    assert tool("node", "-e", script).strip() == f"/api/messages/{newest}"


@pytest.mark.peer
def test_curl_gets_updates_inline(server: ServerProcess) -> None:
    newest = server.post("for curl")
    url = f"http://127.0.0.1:{server.http2_port}{PATH}?last_id={newest - 1}"
    said = tool("curl", "-sSNi", "--http2-prior-knowledge", url, until=lambda said: "for curl" in said)
    assert "HTTP/2 200" in said
    assert "x-updates-mode: inline" in said
    assert f'"id":{newest}' in said
