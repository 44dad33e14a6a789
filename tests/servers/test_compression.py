"""gzip of polls and streams: every message can be read when it is sent, and what is not asked for stays plain."""

import zlib
from collections.abc import Iterator

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from servers.feed.history import Replay
from servers.web.answers import COMPRESSED_FROM_BYTES, Answer, Rendered, poll_body
from servers.web.compression import GZIP_WINDOW_BITS, Deflated, accepts_gzip
from tests.http1 import Http1, connected, run
from tests.server_process import ServerProcess, serving
from tests.servers.test_streams import MemorySink

ACCEPT = {"Accept-Encoding": "br, gzip"}


@pytest.fixture(scope="module")
def compressing() -> Iterator[ServerProcess]:
    with serving("short_polling", "long_polling", "chunked", "sse", "--compress", "--heartbeat", "3600") as server:
        yield server


@given(st.lists(st.binary(max_size=300), max_size=12))
def test_a_client_can_read_each_write_to_its_last_byte_and_then_the_end(payloads: list[bytes]) -> None:
    sink, inflate = MemorySink(), zlib.decompressobj(GZIP_WINDOW_BITS)
    deflated = Deflated(sink, bytes)
    for payload in payloads:
        deflated.write(payload)
        assert inflate.decompress(sink.written[-1]) == payload
    deflated.ending(sink.end)()
    assert inflate.decompress(sink.written[-1]) == b""
    assert (inflate.eof, sink.ended) == (True, 1)


def test_a_client_that_is_gone_is_written_no_tail() -> None:
    sink = MemorySink()
    deflated = Deflated(sink, bytes)
    sink.closing = True
    deflated.ending(sink.end)()
    assert (sink.written, sink.ended) == ([], 1)


@pytest.mark.parametrize(
    ("field", "accepted"),
    [
        ("gzip", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("deflate, br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("x-gzip", False),
        ("", False),
    ],
)
def test_gzip_is_sent_only_to_who_names_it(field: str, accepted: bool) -> None:
    assert accepts_gzip(make_mocked_request("GET", "/", headers={"Accept-Encoding": field})) is accepted


@pytest.mark.parametrize("length", [1, 3000])
def test_a_long_answer_is_compressed_once_for_all_who_accept_it_and_plain_for_the_others(length: int) -> None:
    answer = Answer(Replay((b'"%b"' % (b"x" * length),), 1, 1), compress=True)
    willing = make_mocked_request("GET", "/", headers=ACCEPT)
    given_, plain = answer.to(willing), answer.to(make_mocked_request("GET", "/"))
    assert isinstance(given_, Rendered)
    assert isinstance(plain, Rendered)
    head, _, body = given_.wire.partition(b"\r\n\r\n")
    assert b"Vary: Accept-Encoding" in head
    assert b"Vary: Accept-Encoding" in plain.wire
    if length > COMPRESSED_FROM_BYTES:
        assert answer.to(willing) is given_
        assert b"Content-Encoding: gzip" in head
        assert len(body) < length / 10
        assert zlib.decompress(body, GZIP_WINDOW_BITS) == plain.wire.partition(b"\r\n\r\n")[2]
    else:
        assert given_ is plain


def test_a_server_that_does_not_compress_says_nothing_of_it() -> None:
    replay = Replay((b'"%b"' % (b"x" * 3000),), 1, 1)
    answer = Answer(replay).to(make_mocked_request("GET", "/", headers=ACCEPT))
    assert isinstance(answer, Rendered)
    assert b"Vary" not in answer.wire
    assert poll_body(replay, "").split(b',"polled_at"')[0] in answer.wire


async def one_message(client: Http1, server: ServerProcess, path: str, content: str) -> str:
    """Follow a stream from now on, publish one message, and return its content as soon as that can be read."""
    response = await client.ask(f"{path}?last_id={server.stats()['newest_id']}", ACCEPT)
    assert response.headers["content-encoding"] == "gzip"
    pieces, inflate = response.pieces(), zlib.decompressobj(GZIP_WINDOW_BITS)
    inflate.decompress(await anext(pieces))
    server.post(content)
    text = inflate.decompress(await anext(pieces))
    return str(msgspec.json.decode(text[text.index(b"{") :].rstrip())["content"])


@pytest.mark.parametrize("path", ["/api/stream", "/api/events"])
def test_a_compressed_stream_brings_every_message_at_once(compressing: ServerProcess, path: str) -> None:
    async def check() -> None:
        async with connected(compressing.port) as client:
            assert await one_message(client, compressing, path, "y" * 500) == "y" * 500

    run(check())


@pytest.mark.parametrize("path", ["/api/poll", "/api/longpoll"])
def test_a_poll_is_compressed_when_asked_for_and_brings_the_same(compressing: ServerProcess, path: str) -> None:
    async def check() -> None:
        target = f"{path}?last_id={compressing.post('z' * 900) - 1}"
        async with connected(compressing.port) as client:
            packed, plain = await client.ask(target, ACCEPT), None
            assert packed.headers["content-encoding"] == "gzip"
            body = await packed.read()
            plain = await client.ask(target)
            assert "content-encoding" not in plain.headers
            whole = await plain.read()
        assert len(body) < len(whole) / 3
        found, expected = (msgspec.json.decode(each) for each in (zlib.decompress(body, GZIP_WINDOW_BITS), whole))
        assert found["messages"] == expected["messages"]

    run(check())


def test_a_compressed_stream_ends_as_gzip_does_when_the_server_stops() -> None:
    with serving("chunked", "--compress") as server:

        async def check() -> None:
            async with connected(server.port) as client:
                response = await client.ask("/api/stream", ACCEPT)
                pieces, inflate = response.pieces(), zlib.decompressobj(GZIP_WINDOW_BITS)
                text = inflate.decompress(await anext(pieces))
                server.tell_to_stop()
                text += b"".join([inflate.decompress(piece) async for piece in pieces])
                assert inflate.eof
                assert b"the server is stopping" in text

        run(check())
