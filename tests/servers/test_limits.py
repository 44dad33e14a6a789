"""The token bucket, with the clock in the test's hands; and the limit over HTTP."""

import http.client
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.web.rate_limit import FORGET_ABOVE, TokenBuckets
from tests.http1 import connected, run
from tests.patterns.test_websocket import TEXT, line, send_frame, socket
from tests.server_process import HANG_S, ServerProcess, serving

NS_PER_S = 1_000_000_000


def test_a_burst_of_twice_the_rate_is_let_through_and_then_the_rate() -> None:
    buckets = TokenBuckets(10)
    assert [buckets.wait_s("a", 0) for _ in range(20)] == [0.0] * 20
    assert buckets.wait_s("a", 0) == pytest.approx(0.1)
    assert buckets.wait_s("a", NS_PER_S // 10) == 0
    assert buckets.wait_s("a", NS_PER_S // 10) > 0
    assert buckets.wait_s("b", 0) == 0


@given(st.floats(0.1, 1000), st.lists(st.integers(0, NS_PER_S), min_size=1, max_size=200))
def test_no_stretch_of_time_lets_more_through_than_a_burst_and_the_rate(rate_per_s: float, gaps_ns: list[int]) -> None:
    buckets, at_ns, taken = TokenBuckets(rate_per_s), 0, 0
    for gap_ns in gaps_ns:
        at_ns += gap_ns
        taken += buckets.wait_s("a", at_ns) == 0
    assert taken <= max(1, 2 * rate_per_s) + at_ns / NS_PER_S * rate_per_s + 1e-3


@given(st.floats(0.1, 1000), st.integers(0, NS_PER_S))
def test_whoever_waits_as_long_as_told_is_let_through(rate_per_s: float, at_ns: int) -> None:
    buckets = TokenBuckets(rate_per_s)
    while not (wait_s := buckets.wait_s("a", at_ns)):
        pass
    assert buckets.wait_s("a", at_ns + round(wait_s * NS_PER_S) + 1_000) == 0


def test_clients_that_went_away_are_forgotten() -> None:
    buckets = TokenBuckets(1)
    for number in range(FORGET_ABOVE):
        buckets.wait_s(str(number), 0)
    buckets.wait_s("late", 10 * NS_PER_S)
    assert buckets.clients == 1


def test_who_asks_too_often_is_told_when_to_come_back() -> None:
    async def check(server: ServerProcess) -> None:
        async with connected(server.port) as client:
            answers = [await client.ask("/api/poll") for _ in range(1)]
            while answers[-1].status == 200:
                await answers[-1].read()
                answers.append(await client.ask("/api/poll"))
            assert len(answers) > 4
            assert answers[-1].status == 429
            assert int(answers[-1].headers["retry-after"]) >= 1
            assert (await answers[-1].json())["field"] == "client"

    with serving("short_polling", "--rate-limit", "2") as server:
        run(check(server))


def refusal(server: ServerProcess, method: str, target: str, headers: dict[str, str]) -> tuple[bytes, set[str]]:
    """Ask until refused; return the body, and the names of the headers that say something of it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANG_S)
    while True:
        connection.request(method, target, b"hello" if method == "POST" else None, headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status not in {200, 201}:
            assert (answer.status, answer.headers["content-type"]) == (429, "application/json")
            connection.close()
            return body, {name.lower() for name in answer.headers} - {"connection"}


def test_a_refusal_reads_the_same_whether_it_is_rendered_beforehand_or_not() -> None:
    with serving("short_polling", "--rate-limit", "0.1") as server:
        rendered = refusal(server, "GET", "/api/poll", {})
        assert refusal(server, "GET", "/api/poll", {"Connection": "close"}) == rendered
        assert refusal(server, "POST", "/api/message", {}) == rendered
        assert refusal(server, "GET", "/stats", {"Origin": f"http://127.0.0.1:{server.port}"}) == rendered
        assert {"retry-after", "date"} < rendered[1]


def test_a_message_on_a_websocket_costs_what_a_request_costs() -> None:
    async def check(server: ServerProcess) -> None:
        async with socket(server, 0) as client:
            send_frame(client, TEXT, b"hello")
            refused = await line(client, "refused")
            posted = json.loads(refusal(server, "POST", "/api/message", {})[0])
            assert refused == {"type": "refused", **posted}

    with serving("websocket", "--rate-limit", "0.01") as server:
        run(check(server))


def test_a_refused_client_can_go_on_with_its_connection() -> None:
    with serving("short_polling", "--rate-limit", "20") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANG_S)
        statuses: list[int] = []
        while statuses[-2:] != [429, 200]:
            connection.request("GET", "/api/poll")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()
