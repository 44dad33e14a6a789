"""The one source of messages of a server process: history and wake-up.

Messages are published here, or they come from a backplane that several processes share (`servers/backplane`).

No lost wake-up: a reader subscribes first, then asks `after(cursor)`, then waits to be woken and asks again.
asyncio runs one callback at a time, so nothing can be published between two lines without an `await`.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from servers.feed.history import History, Replay
from servers.feed.message import Message, encode
from servers.timing.clock import now_ns, wall_timestamp

Wake = Callable[[], None]
Journal = Callable[[Message], object]
Keep = Callable[[bytes], object]


class _Subscriber(NamedTuple):
    clients: Callable[[], int]
    held: bool


class Feed:
    """Messages, and the handlers that wait for them.

    `journal`, when given, is called with every published message: it is the ground truth that deliveries are
    counted against. `keep`, when given, gets every published message encoded, a line each. `token` names the feed, not
    the process: ids of two feeds have nothing to do with each other.
    `closed` turns true once, when the server stops: handlers that are woken then say good-bye.
    """

    def __init__(
        self, history: History, journal: Journal | None = None, token: str = "", keep: Keep | None = None
    ) -> None:
        self._history = history
        self._journal = journal
        self._keep = keep
        self.token = token
        self._subscribers: dict[Wake, _Subscriber] = {}
        self._latest: Replay | None = None
        self.closed = False

    @property
    def newest_id(self) -> int:
        return self._history.newest_id

    @property
    def first_id(self) -> int:
        return self._history.first_id

    @property
    def known_id(self) -> int:
        """The newest id known to exist, though its message may be missing here."""
        return self._history.known_id

    @property
    def held(self) -> int:
        """Long polls waiting for an answer."""
        return sum(one.clients() for one in self._subscribers.values() if one.held)

    @property
    def streams(self) -> int:
        """Open streams."""
        return sum(one.clients() for one in self._subscribers.values() if not one.held)

    @property
    def subscribers(self) -> int:
        """Clients waiting for the next message, in either way."""
        return self.held + self.streams

    def publish(self, content: str, due_ns: int | None = None) -> Message:
        """Stamp, encode once, keep, wake everyone. A message without a schedule is due the moment it is published."""
        message = self._append(content, due_ns)
        self._wake()
        return message

    def publish_all(self, content: str, due_ns: Iterable[int]) -> None:
        """Publish one message for each due instant, then wake everyone once: a burst is one write per client."""
        for instant_ns in due_ns:
            self._append(content, instant_ns)
        self._wake()

    def deliver(self, messages: Iterable[tuple[int, bytes]]) -> None:
        """Keep messages published elsewhere, in id order, none older than `known_id`; then wake everyone once."""
        for message_id, body in messages:
            if message_id != self._history.known_id + 1:
                self._history.skip(message_id - 1)
            self._history.append(body)
            self._latest = None
        self._wake()

    def skip(self, to_id: int) -> None:
        """Give up on what is missing up to `to_id`. Readers learn it with the next message; none is woken for it."""
        self._history.skip(to_id)
        self._latest = None

    def after(self, last_id: int) -> Replay:
        """Return what a reader at `last_id` has not seen. Shared by all readers that are one message behind."""
        if last_id != self._history.newest_id - 1:
            return self._history.after(last_id)
        if self._latest is None:
            self._latest = self._history.after(last_id)
        return self._latest

    def subscribe(self, wake: Wake, clients: Callable[[], int] = lambda: 1, *, held: bool = False) -> None:
        """Call `wake` after every publish, in order of subscription, until unsubscribed. It must not block or raise.

        One subscriber may speak for many clients, so that what they share is worked out once; `clients` says how
        many wait at this moment, `held` whether as long polls.
        """
        self._subscribers[wake] = _Subscriber(clients, held)

    def unsubscribe(self, wake: Wake) -> None:
        self._subscribers.pop(wake, None)

    def close(self) -> None:
        """Publish no more; wake everyone to find the feed closed."""
        self.closed = True
        self._wake()

    def _append(self, content: str, due_ns: int | None) -> Message:
        message = stamped(self._history.newest_id + 1, content, due_ns)
        body = encode(message)
        if self._keep is not None:
            self._keep(body + b"\n")
        self._history.append(body)
        self._latest = None
        if self._journal is not None:
            self._journal(message)
        return message

    def _wake(self) -> None:
        for wake in list(self._subscribers):
            wake()


def stamped(message_id: int, content: str, due_ns: int | None) -> Message:
    """Return a message that is published now, and due now unless it was due before."""
    published_ns = now_ns()
    return Message(
        id=message_id,
        due_ns=published_ns if due_ns is None else due_ns,
        published_ns=published_ns,
        timestamp=wall_timestamp(),
        content=content,
    )
