"""What a client of any pattern hears of a server: it asks and reads as the load's users do, on asyncio."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import msgspec

from loadtests.probes.followers import ask_of, hear
from loadtests.protocols.events import Closed, Head, Message
from servers.patterns import facts
from tests.http1 import Line
from tests.server_process import ServerProcess

PAUSE_S = 0.01
CUT = (ConnectionError,)
"""How a conversation ends for a client whose server did not end it."""


def messages(pattern: str, server: ServerProcess, last_id: int) -> AsyncGenerator[Line, None]:
    return messages_at(pattern, (server.http2_port or 0) if facts(pattern).http2 else server.port, last_id)


async def messages_at(pattern: str, port: int, last_id: int) -> AsyncGenerator[Line, None]:
    """Yield what a client that has seen `last_id` gets: messages (with an `id`) and remarks (with a `type`).

    It ends when the server ends the conversation, and closing it makes the client vanish without a good-bye.
    """
    address = ("127.0.0.1", port)
    async with aclosing(hear(pattern, ask_of(pattern, address, last_id), address, pause_s=PAUSE_S)) as heard:
        async for event, _ in heard:
            if isinstance(event, Message):
                yield msgspec.json.decode(event.body)
            elif isinstance(event, Head) and event.cursor:
                yield {"type": event.cursor, "first_id": event.first_id}
            elif isinstance(event, Closed) and event.reason:
                yield {"type": "closed", "reason": event.reason}


async def take_ids(lines: AsyncIterator[Line], count: int) -> list[int]:
    """Return the ids of the next `count` messages."""
    return [(await anext_message(lines))["id"] for _ in range(count)]


async def anext_message(lines: AsyncIterator[Line]) -> Line:
    async for line in lines:
        if "id" in line:
            return line
        assert line["type"] in {"connected", "heartbeat"}, line
    raise AssertionError("the server ended the conversation")
