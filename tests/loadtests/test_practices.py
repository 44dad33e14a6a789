"""Practices as options of a load process: what real users then send, and that nothing is lost by it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loadtests.load_process import FOR_LONG, Loads, check_whole, http_host, loads_on
from tests.server_process import ServerProcess, serving

pytestmark = pytest.mark.slow

PATTERNS = ("short_polling", "long_polling", "chunked", "sse")
USERS = ("ShortPollingUser", "LongPollingUser", "ChunkedUser", "SseUser")
ALL_AT_ONCE = (
    *("--headless", "--users", "8", "--spawn-rate", "8", *FOR_LONG, "--poll-interval", "0.02"),
    *("--etag", "--no-keep-alive", "--compress"),
)


@pytest.fixture
def publishing() -> Iterator[ServerProcess]:
    with serving(*PATTERNS, "--schedule", "steady:10", "--content", "json", "--compress") as server:
        yield server


@pytest.fixture
def loads(publishing: ServerProcess, tmp_path: Path) -> Iterator[Loads]:
    with loads_on(tmp_path, http_host(publishing)) as started:
        yield started


def test_polls_are_answered_by_304_on_connections_of_their_own_and_everything_comes_compressed(loads: Loads) -> None:
    load = loads.start(*USERS, *ALL_AT_ONCE)
    loads.await_rows(load, users=8, each=15)
    load.stopped()
    deliveries = check_whole(loads, users=8)
    requests = loads.table("requests")
    assert set(requests["error"]) <= {"", "cut"}
    polls = requests[requests["pattern"] == "short_polling"]
    unchanged = polls[polls["status"] == 304]
    assert len(unchanged) > len(polls) / 3
    assert (unchanged["messages"].eq(0) & unchanged["empty"].eq(1)).all()
    first_empty = polls[(polls["status"] == 200) & (polls["empty"] == 1)]
    assert unchanged["bytes_in"].max() < first_empty["bytes_in"].min()
    for pattern in ("short_polling", "long_polling"):
        answered = requests[(requests["pattern"] == pattern) & (requests["status"] > 0)]
        for _, connections in answered.groupby("user")["connection"]:
            assert connections.is_unique
    streamed = deliveries[deliveries["pattern"].isin(["chunked", "sse"])]
    # A message of 200 characters of JSON is 350 bytes and more; behind others like it much less.
    assert streamed.groupby("user")["bytes"].median().max() < 250
