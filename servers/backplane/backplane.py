"""What both kinds of backplane share: publishing for everyone, and filling this process's feed.

Nothing is claimed that is not known. An id that does not arrive here becomes a hole in the history; a cursor that is
newer than anything here is looked up in Redis before it is called "ahead".
"""

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from msgspec.structs import replace
from redis.asyncio import Redis

from servers.backplane import NoRedisError
from servers.backplane.ids import Ids, Run
from servers.backplane.link import ANSWER_S, AWAY, Link, end, reason
from servers.backplane.spans import Spans
from servers.feed.feed import Feed, Journal, stamped
from servers.feed.message import Message, encode
from servers.settings.options import ServerOptions
from servers.settings.redis_url import shown
from servers.web.errors import UnavailableError

BEAT_S: Final = 1.0
"""How long Redis may be silent before it is asked something."""
BEHIND_S: Final = 0.05
"""Longer than healthy servers are behind each other, so that a herd of polls does not become a herd of questions."""
PART_CHARACTERS: Final = 1_000_000
"""Redis does nothing else while it takes a batch, so large messages go in small parts."""
WITHOUT_ID: Final = len(b'{"id":0')


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
        self._feed = feed
        self._options = options
        self._journal = journal
        self._failed = failed
        self._ids = Ids(options, self.how)
        self._link = Link(options.redis, self._prepare, self._follow)
        self._following: asyncio.Task[None] | None = None
        self._publishing: set[asyncio.Task[int]] = set()
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._messages = self._given_up = 0
        self._missed, self._given_up_ids = Spans(), Spans()

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
        for task in list(self._publishing):
            await end(task)
        if self._following is not None:
            await end(self._following)

    def state(self) -> dict[str, object]:
        """Return what /stats says.

        newest_id: newest id that Redis is known to have given out. messages: received from Redis. missed: ids that
        will never arrive here. given_up: messages of this process that Redis was not there to take; they have ids once
        it is back. Both are named, too, from first to last id. error: why the connection was lost last.
        """
        return {
            "kind": self.kind,
            "connected": self._link.connected.is_set(),
            "newest_id": self._ids.newest_id,
            "reconnects": self._link.reconnects,
            "messages": self._messages,
            "missed": self._missed.count,
            "missed_ids": self._missed.named,
            "given_up": self._given_up,
            "given_up_ids": self._given_up_ids.named,
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
        if not message.id:
            raise UnavailableError("Redis did not answer, so the message may have been published or not")
        await self._arrives(message.id, ANSWER_S)
        return message

    async def publish_all(self, content: str, due_ns: Iterable[int]) -> None:
        """Publish one message for each due instant, for everyone."""
        await self._publish([stamped(0, content, instant_ns) for instant_ns in due_ns])

    async def settled(self) -> None:
        """Return when all that was begun to be published is here, or Redis has kept it waiting for too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S), self._turn:
                pass
        await self._arrives(self._ids.newest_id, ANSWER_S)

    async def catch_up(self, last_id: int) -> None:
        """Wait for a message that a client has got elsewhere; return soon when no client can have got it.

        Raises UnavailableError when that cannot be found out, or it does not come.
        """
        if await self._arrives(last_id, BEHIND_S):
            return
        with suppress(*AWAY):
            await self._ask(self._link.run)
            if last_id > self._ids.newest_id or await self._arrives(last_id, ANSWER_S):
                return
        raise UnavailableError(
            f"message {last_id} is not here, and Redis does not answer; ask another server, or later"
        )

    async def _ask(self, run: Run) -> None:
        """Learn what the newest id is. Raises AWAY."""
        self._feed.token = await self._ids.ask(run, self._feed.token or secrets.token_hex(8))

    async def _publish(self, messages: Sequence[Message]) -> int:
        """Publish when it is their turn, even if the client has gone; return the first id of the last part."""
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
        self._ids.heard_of(first_id + len(messages) - 1)
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
            self._ids.heard_of(new[-1][0])
            self._wake_arrivals()

    def _give_up_to(self, last_id: int) -> None:
        """Count what is missing as missed: it will not come any more. What was before this process joined is not."""
        if self._following is not None:
            self._missed.add(self._feed.known_id + 1, last_id)
        self._feed.skip(last_id)
        self._wake_arrivals()

    async def _arrives(self, message_id: int, within_s: float) -> bool:
        """Wait for a message to be here, or to be known as missing; return whether it was in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._feed.known_id < message_id:
                    await self._news.wait()
        return self._feed.known_id >= message_id

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
