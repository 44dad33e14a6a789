"""The connection to Redis: one after another, none of which mends itself in secret.

redis-py would reconnect, subscribe again and say nothing, and what was published in between would be missing without
a trace. Here a connection that fails is closed, and the user of the next one begins by asking for the newest id.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import EqualJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as NoAnswerError

ANSWER_S: Final = 3.0
"""How long Redis may take to answer before it counts as away."""
CLOSE_S: Final = 1.0
CANCEL_AGAIN_S: Final = 0.5
STEADY_S: Final = 5.0
"""A connection that lasted so long was a good one: the next wait is short again."""
BACKOFF: Final = EqualJitterBackoff(cap=2.0, base=0.05)
"""Seconds between attempts, half of them at random, so that processes do not all come back at once."""
FAILURES_MAX: Final = 16
AWAY: Final = (RedisError, OSError)
"""What is raised when Redis cannot be used; a TimeoutError is an OSError."""

Use = Callable[[Redis], Awaitable[None]]


class _Connection(NamedTuple):
    """lost: done once it is known to be of no more use, with what told so."""

    client: Redis
    lost: "asyncio.Future[BaseException]"


class Link:
    """Connects, prepares, follows; and again when that fails.

    prepare: makes a new connection fit for use. follow: goes on for ever, and raises AWAY when Redis does not answer.
    connected: set while there is a prepared connection. error: why the last one was lost.
    """

    def __init__(self, url: str, prepare: Use, follow: Use) -> None:
        self._url = url
        self._prepare = prepare
        self._follow = follow
        self._connection: _Connection | None = None
        self.connected = asyncio.Event()
        self.reconnects = 0
        self.error = ""

    async def connect(self) -> None:
        """Make a connection. Raises AWAY when there is none to be had."""
        client = dial(self._url)
        try:
            await self._prepare(client)
        except BaseException:
            await hang_up(client)
            raise
        self._connection = _Connection(client, asyncio.get_running_loop().create_future())
        self.connected.set()

    async def stay_connected(self) -> None:
        """Follow the connection that was made, then every next one, until cancelled."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            began_s = loop.time()
            try:
                if self._connection is None:
                    await self.connect()
                    self.reconnects += 1
                await self._follow_until_lost()
            except AWAY as wrong:
                self.error = reason(wrong)
            finally:
                await self._disconnect()
            # redis-py's backoff raises 2 to this power, which is no float any more above 1023.
            failures = 1 if loop.time() - began_s > STEADY_S else min(failures + 1, FAILURES_MAX)
            await asyncio.sleep(BACKOFF.compute(failures))

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[bytes | str | int]) -> Any:
        """Run a Lua script on the present connection; give that up when it fails. Raises AWAY."""
        connection = self._connection
        if connection is None:
            raise ConnectionError(self.error)
        try:
            return await run_script(connection.client, script, keys, arguments)
        except AWAY as wrong:
            self._lose(connection, wrong)
            raise

    def _lose(self, connection: _Connection, wrong: BaseException) -> None:
        if not connection.lost.done():
            connection.lost.set_result(wrong)
        if connection is self._connection:
            self.connected.clear()

    async def _follow_until_lost(self) -> None:
        """Raise what the reader met, or a publisher, whichever noticed first."""
        assert self._connection is not None
        client, lost = self._connection
        following = asyncio.ensure_future(self._follow(client))
        try:
            either: set[asyncio.Future[Any]] = {following, lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                raise lost.result()
            following.result()
        finally:
            await end(following)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self.connected.clear()
        if connection is not None:
            connection.lost.cancel()
            await hang_up(connection.client)


async def end(task: "asyncio.Future[Any]") -> None:
    """Cancel a task until it has ended: once is not enough where a library takes the cancellation for its own."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)
    if not task.cancelled():
        task.exception()


def dial(url: str) -> Redis:
    """Return a client that connects when it is first used."""
    return Redis.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=ANSWER_S,
        socket_connect_timeout=ANSWER_S,
        client_name="pollbench",
    )


async def hang_up(client: Redis) -> None:
    """Close a client's connections, whatever state they are in."""
    with suppress(*AWAY):
        async with asyncio.timeout(CLOSE_S):
            await client.aclose()


async def run_script(client: Redis, script: str, keys: Sequence[str], arguments: Sequence[bytes | str | int]) -> Any:
    """Run a Lua script, which Redis keeps, so that only its hash travels. Raises AWAY."""
    return await client.register_script(script)(keys=keys, args=arguments)


def reason(wrong: BaseException) -> str:
    """Say in a few words why Redis cannot be used."""
    system = wrong.__context__
    if isinstance(wrong, LostConnectionError) and isinstance(system, OSError) and system.errno:
        # getaddrinfo() has numbers of its own, below zero.
        return os.strerror(system.errno) if system.errno > 0 else str(system.strerror)
    if isinstance(wrong, InvalidResponse):
        return "what answers there is not Redis"
    if isinstance(wrong, NoAnswerError | TimeoutError):
        return f"no answer within {ANSWER_S:g} s"
    return str(wrong).splitlines()[0].rstrip(".") if str(wrong) else type(wrong).__name__
