"""Poll answers: whatever way they leave, the same bytes; rendered once for all who ask alike."""

import asyncio
import json
import re
from contextlib import nullcontext
from unittest.mock import Mock

import pytest
from aiohttp import ClientConnectionResetError, web
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.feed.feed import Feed
from servers.feed.history import History, Replay
from servers.patterns.short_polling import holds
from servers.web.answers import ANSWER_BYTES, SENT, Answer, Answers, poll_body
from servers.web.errors import json_errors
from tests.http1 import read_response

BODIES = st.lists(st.integers(1, 10**6).map(lambda number: b'{"id":%d}' % number), max_size=20).map(tuple)
REPLAYS = st.builds(
    Replay,
    BODIES,
    last_id=st.integers(0, 99),
    first_id=st.integers(1, 99),
    cursor=st.sampled_from(["", "gone", "ahead"]),
)


@given(REPLAYS)
def test_the_body_is_json_that_holds_the_messages_and_the_remark_if_there_is_one(replay: Replay) -> None:
    body = json.loads(poll_body(replay, "now"))
    assert body.pop("messages") == [json.loads(one) for one in replay.bodies]
    assert (body.pop("count"), body.pop("polled_at")) == (len(replay.bodies), "now")
    assert body == ({"cursor": replay.cursor, "first_id": replay.first_id} if replay.cursor else {})


@given(REPLAYS)
def test_the_rendered_response_is_one_that_a_client_reads_to_its_last_byte(replay: Replay) -> None:
    answer = Answer(replay, etag='W/"x"')

    async def check() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(answer.wire)
        reader.feed_eof()
        response = await read_response(reader)
        assert (response.status, response.headers["etag"]) == (200, 'W/"x"')
        assert len((await response.json())["messages"]) == len(replay.bodies)
        assert await reader.read() == b""

    asyncio.run(check())
    assert answer.silent == (not replay.bodies and not replay.cursor)


def test_everyone_who_asks_alike_gets_the_same_object_until_something_is_published() -> None:
    feed = Feed(History(100, 10**6))
    answers = Answers(feed)
    feed.publish("x")
    first = answers.after(0)
    assert answers.after(1) is not first
    feed.publish("y")
    assert answers.after(0) is not first
    assert answers.fresh(0) is not answers.fresh(0)


def test_clients_with_cursors_of_their_own_do_not_make_it_keep_ever_more_answers() -> None:
    feed = Feed(History(1000, 10**6))
    feed.publish_all("x", [1] * 500)
    answers = Answers(feed)
    for last_id in range(500):
        answers.after(last_id)
    assert answers.kept <= 16


@settings(max_examples=20)
@given(
    sizes=st.lists(st.sampled_from([10, 300_000, 3_000_000, 9_000_000]), min_size=1, max_size=6),
    limit=st.sampled_from([None, 1, 2, 5]),
)
def test_who_asks_on_gets_every_message_once_in_answers_that_fit_and_304_only_when_there_is_no_more(
    sizes: list[int], limit: int | None
) -> None:
    feed = Feed(History(1000, 10**9))
    answers, last_id, etag = Answers(feed, etags=True), 0, ""
    for size in sizes:
        feed.publish("x" * size)
    while not holds(etag, answers.etag()):
        head, _, body = answers.after(last_id, limit).wire.partition(b"\r\n\r\n")
        etag = re.search(rb"ETag: (.*)\r\n", head)[1].decode()  # type: ignore[index]
        ids = [message["id"] for message in json.loads(body)["messages"]]
        assert ids == list(range(last_id + 1, last_id + 1 + len(ids)))
        assert len(ids) == 1 or len(body) < ANSWER_BYTES + 10_000
        assert len(ids) <= (limit or len(sizes))
        last_id = ids[-1]
    assert last_id == len(sizes)


def test_bytes_that_were_rendered_for_a_kept_connection_go_to_no_other() -> None:
    feed = Feed(History(10, 10**6))
    answer = Answers(feed).after(0)
    kept = make_mocked_request("GET", "/api/poll")
    closing = make_mocked_request("GET", "/api/poll", headers={"Connection": "close"})
    closing._message = closing._message._replace(should_close=True)
    assert answer.to(kept) is answer.to(kept)
    assert answer.to(closing) is not answer.to(kept)
    assert answer.sent_to(kept) is SENT
    assert answer.sent_to(closing) is not SENT


@pytest.mark.parametrize("leaving", [True, False])
def test_a_client_that_leaves_before_its_answer_begins_is_no_error_of_the_server(leaving: bool) -> None:
    transport = Mock(is_closing=lambda: leaving)
    request = make_mocked_request("GET", "/api/stream", transport=transport)

    async def answer(_: web.Request) -> web.StreamResponse:
        raise ClientConnectionResetError("Cannot write to closing transport")

    with nullcontext() if leaving else pytest.raises(ClientConnectionResetError):
        asyncio.run(json_errors(request, answer))
