"""A real nginx between clients and servers: what it passes on, when, and to whom."""

import asyncio
import os
import secrets
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import psutil
import pytest

from loadtests.host.external import NotInstalled, find_program
from loadtests.host.managed_process import ChildFailed
from loadtests.host.nginx import Nginx
from loadtests.host.nginx_config import BUFFER_BYTES, ProxyOptions
from servers import patterns
from tests.clients import messages_at, take_ids
from tests.http1 import Http1, connected, run, until
from tests.server_process import ServerProcess, serving

pytestmark = pytest.mark.peer

OVER_HTTP1 = [name for name in patterns.names() if not patterns.facts(name).http2]
STREAMS = ["/api/stream", "/api/events"]
DONE = '"status":"done"'
COLLECTING = {
    "HTTP/1.0": ProxyOptions(buffering=True, honour_accel=False, http_1_0=True),
    "gzip": ProxyOptions(buffering=True, honour_accel=False, gzip=True),
}
CONFIGURATIONS = {
    "as nginx comes": ProxyOptions(),
    "unbuffered": ProxyOptions(buffering=False),
    "a new connection for each request": ProxyOptions(keepalive=0),
    "gzip": ProxyOptions(gzip=True),
    "HTTP/1.0 to the server": ProxyOptions(http_1_0=True),
    "several workers": ProxyOptions(workers=2, sticky=True),
}


@pytest.fixture(scope="module")
def quiet() -> Iterator[ServerProcess]:
    """A server whose streams say nothing but what is posted."""
    with serving("--heartbeat", "300") as process:
        yield process


@contextmanager
def front(folder: Path, ports: list[int], options: ProxyOptions | None = None) -> Iterator[Nginx]:
    with Nginx(folder, ports, options) as proxy:
        yield proxy


@pytest.mark.parametrize(("pattern", "configuration"), [*product(OVER_HTTP1, CONFIGURATIONS)])
def test_every_pattern_over_http_1_delivers_through_it_in_order_and_once(
    pattern: str, configuration: str, quiet: ServerProcess, tmp_path: Path
) -> None:
    async def check(proxy: Nginx) -> None:
        async with connected(proxy.port) as publisher:
            before = await publisher.post("where the test begins")
            async with aclosing(messages_at(pattern, proxy.port, before)) as lines:
                first = asyncio.create_task(take_ids(lines, 1))
                posted = [await publisher.post(f"message {n}") for n in range(20)]
                assert await first + await take_ids(lines, 19) == posted

    with front(tmp_path, [quiet.port], CONFIGURATIONS[configuration]) as proxy:
        run(check(proxy))


def test_a_worker_that_comes_second_to_a_connection_does_not_wait_for_the_next(
    quiet: ServerProcess, tmp_path: Path
) -> None:
    """The flag is the socket's, whoever holds it; nginx sets it on sockets of its own only."""
    with front(tmp_path, [quiet.port], ProxyOptions(workers=2)) as proxy:
        (master,) = [each for each in psutil.Process().children() if each.name() == "nginx"]
        listening = next(each.fd for each in master.net_connections() if each.laddr[1] == proxy.port)
        told = Path(f"/proc/{master.pid}/fdinfo/{listening}").read_text(encoding="ascii")
        assert int(told.split("flags:")[1].split()[0], 8) & os.O_NONBLOCK


class Stream:
    """A request whose response goes on, read in the background.

    received: what came so far, uncompressed; first: what came of it first, in one piece.
    """

    def __init__(self, client: Http1, target: str, headers: dict[str, str]) -> None:
        self.encoding = ""
        self.received = self.first = b""
        self._task = asyncio.create_task(self._read(client, target, headers))

    def __contains__(self, text: str) -> bool:
        return text.encode() in self.received

    async def until(self, text: str) -> None:
        await until(lambda: text in self)

    def close(self) -> None:
        self._task.cancel()

    async def _read(self, client: Http1, target: str, headers: dict[str, str]) -> None:
        response = await client.ask(target, headers)
        self.encoding = response.headers.get("content-encoding", "")
        unzip = zlib.decompressobj(wbits=31)
        async for piece in response.pieces():
            self.received += unzip.decompress(piece) if self.encoding == "gzip" else piece
            self.first = self.first or self.received


@asynccontextmanager
async def streaming(port: int, target: str, headers: dict[str, str] | None = None) -> AsyncIterator[Stream]:
    """Ask, without waiting for the head: a proxy may keep even that."""
    async with connected(port) as client:
        stream = Stream(client, target, headers or {})
        try:
            yield stream
        finally:
            stream.close()


@pytest.mark.parametrize("collecting", [*COLLECTING])
@pytest.mark.parametrize("path", STREAMS)
def test_a_collected_stream_brings_nothing_before_a_buffer_is_full_and_one_passed_on_brings_each_message(
    path: str, collecting: str, quiet: ServerProcess, tmp_path: Path
) -> None:
    """In the order of events, not in time: after each message, nginx has answered something else the collected way."""

    async def check(late_way: Nginx, prompt_way: Nginx) -> None:
        async with connected(late_way.port) as other, connected(quiet.port) as publisher:
            target = f"{path}?last_id={await publisher.post('where the test begins')}"
            accepting = {"Accept-Encoding": "gzip"}
            async with (
                streaming(late_way.port, target, accepting) as late,
                streaming(prompt_way.port, target, accepting) as prompt,
            ):
                await publisher.until("streams", 2)
                posted_bytes = 0
                while not late.received:
                    text = f"after {posted_bytes} bytes {secrets.token_hex(200)}"
                    await publisher.post(text)
                    posted_bytes += len(text)
                    await prompt.until(text)
                    assert (await (await other.ask("/stats")).json())["streams"] == 2
                assert posted_bytes > BUFFER_BYTES / 2
                await late.until("after 0 bytes")

    (tmp_path / "late").mkdir()
    (tmp_path / "prompt").mkdir()
    options = COLLECTING[collecting]
    with (
        front(tmp_path / "late", [quiet.port], options) as late_way,
        front(tmp_path / "prompt", [quiet.port], replace(options, buffering=False)) as prompt_way,
    ):
        run(check(late_way, prompt_way))


@pytest.mark.parametrize("collecting", [*COLLECTING])
def test_a_collected_stream_comes_whole_when_it_ends(collecting: str, quiet: ServerProcess, tmp_path: Path) -> None:
    """In what order, not when: who reads late has the first step no sooner than the last one, in one piece with it."""

    async def check(proxy: Nginx) -> None:
        target = "/api/progress?steps=5&interval=0.1"
        async with (
            streaming(proxy.port, target, {"Accept-Encoding": "gzip"}) as late,
            streaming(quiet.port, target) as prompt,
        ):
            for each in (late, prompt):
                await each.until(DONE)
            assert DONE.encode() in late.first
            assert DONE.encode() not in prompt.first

    with front(tmp_path, [quiet.port], COLLECTING[collecting]) as proxy:
        run(check(proxy))


@pytest.mark.parametrize("path", STREAMS)
def test_chunks_from_a_server_that_is_spoken_to_in_http_1_1_are_passed_on_though_buffering_is_on(
    path: str, quiet: ServerProcess, tmp_path: Path
) -> None:
    """Seen with nginx 1.22: what it is known for, it does to HTTP/1.0 and to what it compresses."""

    async def check(proxy: Nginx) -> None:
        async with connected(quiet.port) as publisher:
            target = f"{path}?last_id={await publisher.post('where the test begins')}"
            async with streaming(proxy.port, target) as stream:
                for text in ("first", "second"):
                    await publisher.post(text)
                    await stream.until(text)

    with front(tmp_path, [quiet.port], ProxyOptions(buffering=True, honour_accel=False)) as proxy:
        run(check(proxy))


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize("http_1_0", [False, True])
@pytest.mark.parametrize("gzip", [False, True])
def test_our_servers_header_keeps_nginx_from_buffering_compressed_or_not(
    path: str, gzip: bool, http_1_0: bool, quiet: ServerProcess, tmp_path: Path
) -> None:
    async def check(proxy: Nginx) -> None:
        async with connected(quiet.port) as publisher:
            target = f"{path}?last_id={await publisher.post('where the test begins')}"
            async with streaming(proxy.port, target, {"Accept-Encoding": "gzip"}) as stream:
                for text in ("first", "second", "third"):
                    await publisher.post(text)
                    await stream.until(text)
                assert stream.encoding == ("gzip" if gzip else "")

    with front(tmp_path, [quiet.port], ProxyOptions(http_1_0=http_1_0, gzip=gzip)) as proxy:
        run(check(proxy))


def test_polls_are_compressed_for_whoever_takes_it(quiet: ServerProcess, tmp_path: Path) -> None:
    async def check(proxy: Nginx) -> None:
        async with connected(proxy.port) as client:
            newest = await client.post("x" * 5000)
            small = await client.ask(f"/api/poll?last_id={newest - 1}", {"Accept-Encoding": "gzip"})
            packed = await small.read()
            assert small.headers["content-encoding"] == "gzip"
            plain = await (await client.ask(f"/api/poll?last_id={newest - 1}")).read()
            assert len(packed) < len(plain) / 10
            assert b"xxxxx" in zlib.decompress(packed, wbits=31)

    with front(tmp_path, [quiet.port], ProxyOptions(gzip=True)) as proxy:
        run(check(proxy))


def test_a_client_that_vanishes_before_nginx_is_forgotten_behind_it(quiet: ServerProcess, tmp_path: Path) -> None:
    async def check(proxy: Nginx) -> None:
        async with connected(quiet.port) as other:
            for path in ("/api/stream", "/api/longpoll"):
                newest = await other.post("x")
                async with streaming(proxy.port, f"{path}?last_id={newest}"):
                    await other.until("subscribers", 1)
                await other.until("subscribers", 0)

    with front(tmp_path, [quiet.port]) as proxy:
        run(check(proxy))


def test_a_server_that_is_silent_for_longer_than_nginx_waits_is_cut_off(quiet: ServerProcess, tmp_path: Path) -> None:
    """Why a hold must be shorter than the proxy's patience: the client gets an error instead of an empty list."""

    async def check(proxy: Nginx) -> None:
        async with connected(proxy.port) as client:
            newest = await client.post("x")
            answer = await client.ask(f"/api/longpoll?last_id={newest}&timeout=1")
            assert (answer.status, (await answer.json())["count"]) == (200, 0)
            cut = await client.ask(f"/api/longpoll?last_id={newest}&timeout=30")
            assert cut.status == 504

    with front(tmp_path, [quiet.port], ProxyOptions(read_timeout_s=2.0)) as proxy:
        run(check(proxy))


class Upstream:
    """A server that is no more than its answers. connections: how many it has been given; heads: what it was asked."""

    def __init__(self, status: str) -> None:
        self.connections = 0
        self.heads: list[bytes] = []
        self._status = status

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(f"HTTP/1.1 {self._status}\r\nContent-Length: 2\r\n\r\nok".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def upstreams(*statuses: str) -> AsyncIterator[tuple[list[Upstream], list[int]]]:
    async with AsyncExitStack() as stack:
        servers, ports = [Upstream(status) for status in statuses], []
        for each in servers:
            listener = await stack.enter_async_context(await asyncio.start_server(each.serve, "127.0.0.1", 0))
            ports.append(listener.sockets[0].getsockname()[1])
        yield servers, ports


@pytest.mark.parametrize("keepalive", [0, 8])
def test_connections_to_servers_are_kept_or_not(keepalive: int, tmp_path: Path) -> None:
    async def check() -> None:
        async with upstreams("200 OK") as ([server], ports):
            with front(tmp_path, ports, ProxyOptions(keepalive=keepalive)) as proxy:
                async with connected(proxy.port) as client:
                    for _ in range(5):
                        assert await (await client.ask("/")).read() == b"ok"
            assert server.connections == (1 if keepalive else 5)
            assert all((b"Connection: close" in head) == (not keepalive) for head in server.heads)

    run(check())


def test_a_server_that_cannot_answer_for_the_moment_is_passed_over(tmp_path: Path) -> None:
    """One that is cut off from the shared feed answers 503 to a cursor that it does not know."""

    async def check() -> None:
        async with upstreams("503 Service Unavailable", "200 OK") as (_, ports):
            with front(tmp_path, ports) as proxy:
                async with connected(proxy.port) as client:
                    for _ in range(4):
                        answer = await client.ask("/")
                        assert (answer.status, await answer.read()) == (200, b"ok")

    run(check())


@pytest.mark.parametrize("sticky", [False, True])
def test_a_client_goes_from_server_to_server_or_stays_with_one(
    sticky: bool, quiet: ServerProcess, tmp_path: Path
) -> None:
    async def check(proxy: Nginx, tokens: set[str]) -> None:
        seen = set()
        for _ in range(20):
            async with connected(proxy.port) as client:
                met = {(await (await client.ask("/stats")).json())["token"] for _ in range(4)}
            assert met == tokens or (sticky and len(met) == 1)
            seen |= met
        assert seen == tokens

    with (
        serving("short_polling") as second,
        front(tmp_path, [quiet.port, second.port], ProxyOptions(sticky=sticky)) as proxy,
    ):
        run(check(proxy, {quiet.ready["token"], second.ready["token"]}))


def test_a_server_that_dies_is_no_reason_for_an_error(quiet: ServerProcess, tmp_path: Path) -> None:
    async def check(proxy: Nginx, dying: ServerProcess) -> None:
        async with connected(proxy.port) as client:
            for _ in range(4):
                assert (await (await client.ask("/stats")).json())["token"] in {
                    quiet.ready["token"],
                    dying.ready["token"],
                }
            dying.process.kill()
            dying.process.communicate()
            for _ in range(10):
                assert (await (await client.ask("/stats")).json())["token"] == quiet.ready["token"]

    dying = ServerProcess("short_polling")
    with front(tmp_path, [quiet.port, dying.port]) as proxy:
        run(check(proxy, dying))


def test_it_takes_a_port_of_its_own_and_leaves_nothing_running(quiet: ServerProcess, tmp_path: Path) -> None:
    with front(tmp_path, [quiet.port], ProxyOptions(workers=2)) as proxy:
        master = next(each for each in psutil.Process().children() if each.name() == "nginx")
        pids = [master.pid, *(worker.pid for worker in master.children())]
        assert len(pids) == 3
        assert proxy.url == f"http://127.0.0.1:{proxy.port}"
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_it_can_be_started_again_in_the_same_folder(quiet: ServerProcess, tmp_path: Path) -> None:
    for _ in range(2):
        with front(tmp_path, [quiet.port]) as proxy:
            run(answered(proxy))


async def answered(proxy: Nginx) -> None:
    async with connected(proxy.port) as client:
        assert (await client.ask("/stats")).status == 200


def test_what_nginx_says_when_it_does_not_start_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match="invalid port in upstream"), front(tmp_path, [99_999]):
        pass


def test_a_program_that_is_not_installed_is_named_with_its_package() -> None:
    with pytest.raises(NotInstalled, match=r"^no-such-program is not installed; .*apt-get install some-package$"):
        find_program("no-such-program", "some-package")
