"""A real Redis, and pairs of real servers that share a feed through it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtests.host.redis_server import RedisServer
from tests.backplane.sharing import KINDS, Pair, sharing


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One Redis for all tests that do it no harm."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may stop, kill, freeze and empty."""
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture(scope="session", params=KINDS)
def pair(request: pytest.FixtureRequest, redis: RedisServer) -> Iterator[Pair]:
    """Two servers with all patterns and one feed, publishing what tests post to either; ids go on from test to test."""
    with sharing(redis.url, "--feed", request.param, "--feed-name", f"pair-{request.param}") as servers:
        yield servers
