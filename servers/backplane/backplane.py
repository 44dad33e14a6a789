"""What both kinds of backplane share: publishing for everyone, and filling this process's feed.

Nothing is claimed that is not known. An id that does not arrive here becomes a hole in the history; a cursor that is
newer than anything here is looked up in Redis before it is called "ahead".
"""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Final

from msgspec.structs import replace
from redis.asyncio import Redis

from servers.backplane import NoRedisError
from servers.backplane.link import ANSWER_S, AWAY, Link, reason, run_script
from servers.backplane.scripts import MEET, PUBLISH
from servers.backplane.url import database, shown
from servers.errors import UnavailableError
from servers.feed import Feed, Journal, stamped
from servers.message import Message, encode
from servers.options import ServerOptions

BEAT_S: Final = 1.0
"""How long Redis may be silent before it is asked something."""
BEHIND_S: Final = 0.05
"""Longer than healthy servers are behind each other, so that a herd of polls does not become a herd of questions."""
PART_CHARACTERS: Final = 1_000_000
"""Redis does nothing else while it takes a batch, so large messages go in small parts."""
WITHOUT_ID: Final = len(b'{"id":0')

Run = Callable[[str, Sequence[str], Sequence[bytes | str | int]], Awaitable[Any]]


class Backplane(ABC):
    """This process's share of a feed that lives in Redis.

    journal: called with every message that this process published, once Redis has given it an id. failed: called with
    what makes it impossible to go on.
    """

    kind: ClassVar[str]
    how: ClassVar[str]

    def __init__(
        self, feed: Feed, options: ServerOptions, journal: Journal | None, failed: Callable[[BaseException], None]
    ) -> None:
        name = options.feed_name
        self._feed = feed
        self._options = options
        self._journal = journal
        self._failed = failed
        self._counter, self._token = f"{name}:newest", f"{name}:token"
        # Channels, unlike keys, are the same in all databases of a Redis.
        self._place = f"{name}:{self.how}:{database(options.redis)}"
        self._publisher = f"{name}:publisher:{secrets.token_hex(8)}"
        self._link = Link(options.redis, self._prepare, self._follow)
        self._following: asyncio.Task[None] | None = None
        self._publishing: set[asyncio.Task[int]] = set()
        self._turn = asyncio.Lock()
        self._batch = 0
        self._news = asyncio.Event()
        self._newest_id = 0
        self._messages = self._missed = self._given_up = 0

    @abstractmethod
    async def _prepare(self, client: Redis) -> None:
        """Make a new connection fit for use: afterwards the feed knows every id there is. Raises AWAY."""

    @abstractmethod
    async def _follow(self, client: Redis) -> None:
        """Fill the feed with what comes, for ever. Raises AWAY when Redis does not answer in time."""

    @abstractmethod
    async def _publish_part(self, messages: Sequence[Message]) -> int:
        """Publish in one piece; return the first id, 0 when these messages are given up."""

    async def join(self) -> None:
        """Take part. Raises NoRedisError."""
        try:
            await self._link.connect()
        except AWAY as wrong:
            problem = f"--redis {shown(self._options.redis)} cannot be used: {reason(wrong)}"
            raise NoRedisError(f"{problem}; start a Redis there, or name another") from None
        self._following = asyncio.create_task(self._link.stay_connected(), name="backplane")
        self._following.add_done_callback(self._ended)

    async def leave(self) -> None:
        """Stop. What is being published is finished first, if Redis is there; else it is given up."""
        if self._publishing and self._link.connected.is_set():
            await asyncio.wait(self._publishing, timeout=ANSWER_S)
        tasks: list[asyncio.Task[Any]] = [*self._publishing]
        tasks += [self._following] if self._following else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def state(self) -> dict[str, object]:
        """Return what /stats says.

        newest_id: newest id that Redis is known to have given out. messages: received from Redis. missed: ids that
        will never arrive here. given_up: messages of this process that Redis was not there to take. error: why the
        connection was lost last.
        """
        return {
            "kind": self.kind,
            "connected": self._link.connected.is_set(),
            "newest_id": self._newest_id,
            "reconnects": self._link.reconnects,
            "messages": self._messages,
            "missed": self._missed,
            "given_up": self._given_up,
            "error": self._link.error,
        }

    async def publish(self, content: str) -> Message:
        """Publish one message for everyone; return it when it is here, too. Raises UnavailableError."""
        if not self._link.connected.is_set():
            raise UnavailableError(f"Redis is away ({self._link.error}), so nothing was published; try again later")
        message = stamped(0, content, None)
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                message = replace(message, id=await self._publish([message]))
                await self._arrival(message.id)
        if not message.id:
            raise UnavailableError("Redis did not answer, so the message may have been published or not")
        return message

    async def publish_all(self, content: str, due_ns: Iterable[int]) -> None:
        """Publish one message for each due instant, for everyone."""
        await self._publish([stamped(0, content, instant_ns) for instant_ns in due_ns])

    async def settled(self) -> None:
        """Return when all that was begun to be published is here, or Redis has kept it waiting for too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                async with self._turn:
                    newest_id = self._newest_id
                await self._arrival(newest_id)

    async def catch_up(self, last_id: int) -> None:
        """Wait for a message that a client has got elsewhere; return soon when nobody can have got it.

        Raises UnavailableError when that cannot be found out, or it does not come.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(BEHIND_S):
                return await self._arrival(last_id)
        try:
            async with asyncio.timeout(ANSWER_S):
                if last_id <= await self._ask(self._link.run):
                    await self._arrival(last_id)
        except AWAY:
            error = f"message {last_id} is not here yet, and Redis is away; ask another server, or this one later"
            raise UnavailableError(error) from None

    async def _ask(self, run: Run) -> int:
        """Return the newest id there is, having seen to it that Redis gives out no id again. Raises AWAY."""
        token = self._feed.token or secrets.token_hex(8)
        keys = [self._counter, self._place, self._token]
        newest, token_now = await run(MEET, keys, [self._feed.known_id, token])
        self._feed.token = token_now.decode()
        self._heard_of(int(newest))
        return self._newest_id

    async def _send(self, run: Run, batch: int, how: str, arguments: Sequence[bytes | int]) -> int:
        """Have Redis give out ids for a batch, once however often it is sent; return the first. Raises AWAY."""
        keys = [self._counter, self._place, self._publisher]
        return int(await run(PUBLISH, keys, [batch, self._feed.known_id, how, self._options.history, *arguments]))

    def _next_batch(self) -> int:
        self._batch += 1
        return self._batch

    async def _publish(self, messages: Sequence[Message]) -> int:
        """Publish when it is their turn, even if whoever asked has gone; return the first id of the last part."""
        task = asyncio.create_task(self._publish_in_turn(messages))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)
        return await asyncio.shield(task)

    async def _publish_in_turn(self, messages: Sequence[Message]) -> int:
        first_id = 0
        async with self._turn:
            for part in parts(messages):
                first_id = await self._publish_part(part)
                if first_id:
                    self._published(first_id, part)
        return first_id

    def _published(self, first_id: int, messages: Sequence[Message]) -> None:
        self._heard_of(first_id + len(messages) - 1)
        try:
            for number, message in enumerate(messages, first_id):
                if self._journal is not None:
                    self._journal(replace(message, id=number))
        except OSError as wrong:
            self._failed(wrong)

    def _deliver(self, messages: Sequence[tuple[int, bytes]]) -> None:
        """Pass on what came from Redis, in id order."""
        known_id = self._feed.known_id
        new = [one for one in messages if one[0] > known_id]
        self._messages += len(messages)
        if len(new) < len(messages):
            # Redis gave these ids out again. With a token that holds no longer, the next question makes a miss of it.
            self._feed.token = secrets.token_hex(8)
        if new:
            self._give_up_to(new[0][0] - 1)
            self._feed.deliver(new)
            self._heard_of(new[-1][0])
            self._wake_arrivals()

    def _give_up_to(self, last_id: int) -> None:
        """Count what is missing as missed: it will not come any more. What was before this process joined is not."""
        if self._following is not None:
            self._missed += max(0, last_id - self._feed.known_id)
        self._feed.skip(last_id)
        self._wake_arrivals()

    def _heard_of(self, message_id: int) -> None:
        self._newest_id = max(self._newest_id, message_id)

    async def _arrival(self, message_id: int) -> None:
        while self._feed.known_id < message_id:
            await self._news.wait()

    def _wake_arrivals(self) -> None:
        self._news.set()
        self._news.clear()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        wrong = None if task.cancelled() else task.exception()
        if wrong is not None:
            self._failed(wrong)


def parts(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    """Cut a batch, whose messages are all of one length, into pieces that Redis can take without a pause."""
    step = max(1, PART_CHARACTERS // max(1, len(messages[0].content)))
    for at in range(0, len(messages), step):
        yield messages[at : at + step]


def without_id(messages: Iterable[Message]) -> list[bytes]:
    """Encode messages whose ids are yet to be given out."""
    return [encode(message)[WITHOUT_ID:] for message in messages]


def on(client: Redis) -> Run:
    """Return what runs scripts on this connection."""
    return partial(run_script, client)
