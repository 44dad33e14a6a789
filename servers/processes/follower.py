"""Every process but the first: it serves what it is told, and asks the first one for whatever is to be decided."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from servers.app import Service
from servers.feed.feed import Feed
from servers.feed.message import Message, id_of
from servers.feed.schedule import Schedule
from servers.processes.leader import ADDED_UP
from servers.processes.link import Link
from servers.processes.place import Place
from servers.processes.split import End


class Follower:
    """feed: is filled with what the first process publishes. place: where it is to serve, None if the first process
    ended before it said so.

    ended: done when the first process says so, or is gone.
    """

    def __init__(self, end: End, feed: Feed, unread_bytes: int) -> None:
        loop = asyncio.get_running_loop()
        self.place: asyncio.Future[Place | None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._feed = feed
        self._serving: asyncio.Future[FollowingService] = loop.create_future()
        self._link = Link(end.sock, self._answer, self._lost, unread_bytes, self._deliver)

    def serves(self, service: "FollowingService") -> None:
        """Let the first process know that we listen."""
        self._serving.set_result(service)

    async def ask(self, what: str, *about: object) -> Any:
        return await self._link.ask(what, *about)

    async def publish(self, content: str) -> Message:
        """Have a message published; return it when it is here, too. Raises UnavailableError."""
        return msgspec.convert(await self.ask("publish", content), Message)

    async def settled(self) -> None: ...

    async def catch_up(self, last_id: int) -> None:  # noqa: ARG002
        """Wait for all that is published by now, which is all that a client can have got elsewhere."""
        await self.ask("here?")

    def state(self) -> dict[str, object]:
        return {}

    def _deliver(self, bodies: Sequence[bytes]) -> None:
        self._feed.deliver((int(id_of(body)), body) for body in bodies)

    async def _answer(self, what: str, about: list[Any]) -> object:
        if what == "serve":
            self.place.set_result(msgspec.convert(about, Place))
            await self._serving
            return None
        service = await self._serving
        state = await Service.state(service, tasks=about[0])
        return {name: state[name] for name in ADDED_UP if name in state}

    def _lost(self) -> None:
        self.ended.set_result(None)
        if not self.place.done():
            self.place.set_result(None)


@dataclass(slots=True)
class FollowingService(Service):
    """Answers as the first process would."""

    leader: Follower | None = None

    async def state(self, *, tasks: bool) -> dict[str, object]:
        return dict(await self._first().ask("state", tasks))

    async def reschedule(self, schedule: Schedule | None, message_bytes: int | None) -> dict[str, object]:
        return dict(await self._first().ask("reschedule", schedule and str(schedule), message_bytes))

    def _first(self) -> Follower:
        assert self.leader is not None
        return self.leader
