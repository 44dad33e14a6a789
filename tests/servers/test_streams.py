"""Streams that share one wake-up: what reaches each sink, and which of them are closed. The sinks are in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.feed.feed import Feed
from servers.feed.history import History
from servers.feed.message import decode_stamp
from servers.patterns import chunked
from servers.settings.options import ServerOptions
from servers.web.streams import UNHEARD_BEATS, Streams, chunk
from tests.http1 import Response, run, until


class MemorySink:
    """What a client has been sent. full: bytes said to be waiting for a client that does not read."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.full = 0
        self.closing = False
        self.ended = 0
        self.aborted = False

    def write(self, data: bytes) -> None:
        assert not self.closing
        self.written.append(data)

    def get_write_buffer_size(self) -> int:
        return self.full

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.aborted = True

    def end(self) -> None:
        self.ended += 1

    def has_heartbeat(self) -> bool:
        return b"heartbeat" in self.written[-1]

    def ids(self) -> list[int]:
        """Return the ids it was sent; only for raw sinks."""
        stamps = [decode_stamp(line) for line in b"".join(self.written).splitlines()]
        return [stamp.id for stamp in stamps if stamp.id]


@asynccontextmanager
async def streams_of(**options: float) -> AsyncIterator[tuple[Feed, Streams]]:
    feed = Feed(History(1000, 10**6))
    yield feed, Streams(feed, ServerOptions(**options), chunked.FRAMING)  # type: ignore[arg-type]


def test_all_streams_are_sent_the_same_object_framed_once() -> None:
    async def check() -> None:
        async with streams_of() as (feed, streams):
            sinks = [MemorySink() for _ in range(3)]
            for sink in sinks:
                streams.join(sink, 0, sink.end)
            feed.publish("x")
            assert len({id(sink.written[-1]) for sink in sinks}) == 1

    run(check())


@given(st.lists(st.sampled_from(["publish", "join", "leave"]), max_size=40))
def test_every_stream_gets_all_messages_in_order_whenever_it_joined(steps: list[str]) -> None:
    async def check() -> None:
        async with streams_of() as (feed, streams):
            sinks: list[tuple[MemorySink, int]] = []
            for step in steps:
                if step == "publish":
                    feed.publish("x")
                elif step == "join":
                    sink = MemorySink()
                    sinks.append((sink, streams.join(sink, 0, sink.end, raw=True)))
                elif sinks:
                    sink, number = sinks.pop()
                    streams.leave(number)
                    streams.leave(number)
            for sink, _ in sinks:
                assert sink.ids() == list(range(1, feed.newest_id + 1))
            assert feed.streams == len(sinks)

    asyncio.run(check())


def test_a_reader_that_lags_is_told_why_and_the_others_go_on() -> None:
    async def check() -> None:
        async with streams_of(send_buffer_bytes=1000) as (feed, streams):
            slow, quick = MemorySink(), MemorySink()
            for sink in (slow, quick):
                streams.join(sink, 0, sink.end, raw=True)
            slow.full = 1001
            feed.publish("not for the slow one")
            feed.publish("nor this")
            assert (slow.ids(), slow.ended) == ([], 1)
            assert b'"type":"closed","reason":"too slow' in slow.written[-1]
            assert (quick.ids(), quick.ended) == ([1, 2], 0)
            assert feed.streams == 1

    run(check())


def test_the_backlog_a_client_asked_for_does_not_count_as_lagging() -> None:
    async def check() -> None:
        async with streams_of(send_buffer_bytes=1000) as (feed, streams):
            sink = MemorySink()
            sink.full = 5_000_000
            streams.join(sink, 0, sink.end, raw=True)
            feed.publish("x")
            assert sink.ids() == [1]
            sink.full += 1001
            feed.publish("y")
            assert sink.ended == 1

    run(check())


def test_a_connection_that_is_closing_is_left_alone() -> None:
    async def check() -> None:
        async with streams_of() as (feed, streams):
            sink = MemorySink()
            streams.join(sink, 0, sink.end)
            sink.closing = True
            feed.publish("x")
            feed.close()
            assert sink.ended == 0

    run(check())


def test_when_the_feed_closes_every_stream_is_told_even_one_that_joins_after() -> None:
    async def check() -> None:
        async with streams_of() as (feed, streams):
            sinks = [MemorySink(), MemorySink()]
            streams.join(sinks[0], 0, sinks[0].end)
            feed.close()
            streams.join(sinks[1], 0, sinks[1].end)
            assert [sink.ended for sink in sinks] == [1, 1]
            assert all(b"the server is stopping" in sink.written[-1] for sink in sinks)
            assert feed.streams == 0

    run(check())


@given(st.binary(min_size=1, max_size=100_000))
def test_a_chunk_is_read_back_by_a_plain_reader(payload: bytes) -> None:
    async def check() -> None:
        reader = asyncio.StreamReader(limit=2**20)
        reader.feed_data(chunk(payload) + b"0\r\n\r\n")
        body = Response(200, {"transfer-encoding": "chunked"}, reader)
        assert [piece async for piece in body.pieces()] == [payload]

    asyncio.run(check())


def test_heartbeats_stop_with_the_last_stream_and_start_again_with_the_next() -> None:
    async def check() -> None:
        async with streams_of(heartbeat_s=0.05) as (_, streams):
            for _ in range(2):
                sink = MemorySink()
                number = streams.join(sink, 0, sink.end, raw=True)
                await until(sink.has_heartbeat)
                streams.leave(number)
                written = len(sink.written)
                await asyncio.sleep(0.12)
                assert len(sink.written) == written

    run(check())


@pytest.mark.parametrize("cursor", [3, 99])
def test_the_remark_on_a_cursor_comes_before_the_messages(cursor: int) -> None:
    async def check() -> None:
        feed = Feed(History(2, 10**6))
        feed.publish_all("x", [1] * 6)
        streams = Streams(feed, ServerOptions(), chunked.FRAMING)
        sink = MemorySink()
        streams.join(sink, cursor, sink.end, raw=True)
        kinds = [decode_stamp(line).type for line in sink.written[0].splitlines()]
        assert kinds == ["connected", "gone" if cursor == 3 else "ahead", "", ""]

    run(check())


def test_a_client_that_answers_nothing_any_more_is_cut_and_one_that_does_is_kept() -> None:
    async def check() -> None:
        async with streams_of(heartbeat_s=0.05) as (feed, streams):
            alive, frozen, mute, slow = MemorySink(), MemorySink(), MemorySink(), MemorySink()
            slow.full = 1
            number = streams.join(alive, 0, alive.end, raw=True, answers=True)
            streams.join(frozen, 0, frozen.end, raw=True, answers=True)
            streams.join(slow, 0, slow.end, raw=True, answers=True)
            streams.join(mute, 0, mute.end, raw=True)

            def beaten() -> bool:
                """Messages flow all the time: it is no silence that brings the heartbeats."""
                streams.heard(number)
                feed.publish("x")
                return frozen.aborted

            await until(beaten)
            assert b"".join(frozen.written).count(b"heartbeat") == UNHEARD_BEATS
            assert not frozen.ended
            assert [sink.aborted for sink in (alive, mute, slow)] == [False] * 3
            assert feed.streams == 3

    run(check())


def test_without_heartbeats_nobody_is_sent_any_and_nobody_is_cut() -> None:
    async def check() -> None:
        async with streams_of(heartbeat_s=0) as (feed, streams):
            sink = MemorySink()
            streams.join(sink, 0, sink.end, raw=True, answers=True)
            await asyncio.sleep(0.1)
            assert len(sink.written) == 1
            assert (sink.aborted, feed.streams) == (False, 1)

    run(check())


def test_without_a_limit_no_reader_lags_too_far() -> None:
    async def check() -> None:
        async with streams_of(send_buffer_bytes=0) as (feed, streams):
            sink = MemorySink()
            streams.join(sink, 0, sink.end, raw=True)
            sink.full = 10**12
            feed.publish("x")
            assert (sink.ids(), sink.ended) == ([1], 0)

    run(check())


def test_clients_that_begin_far_behind_and_do_not_read_share_the_room_of_four_histories() -> None:
    """Whoever finds none is told so, and comes back; whoever reads makes room; short backlogs always fit."""

    async def check() -> None:
        async with streams_of(history_bytes=2_000_000, send_buffer_bytes=1000) as (feed, streams):
            feed.publish("x" * 500)
            feed.publish("x" * 900_000)
            unread = [MemorySink() for _ in range(9)]
            for sink in unread:
                streams.join(sink, 0, sink.end, raw=True)
                sink.full = len(b"".join(sink.written))
            assert [sink.ids() for sink in unread] == [[1, 2]] * 8 + [[]]
            assert [sink.ended for sink in unread] == [0] * 8 + [1]
            assert b"too many clients are far behind" in unread[-1].written[-1]
            feed.publish("short")
            near, behind = MemorySink(), MemorySink()
            streams.join(near, 2, near.end, raw=True)
            unread[0].full = 0
            streams.join(behind, 0, behind.end, raw=True)
            assert (near.ids(), behind.ids()) == ([3], [1, 2, 3])

    run(check())
