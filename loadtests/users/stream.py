"""One stream of a user from its request to its end, decoded and recorded as it is read."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from loadtests.protocols.events import (
    Closed,
    Event,
    Head,
    Message,
    ProtocolError,
    Refused,
    StreamDecoder,
    message_bytes,
)
from loadtests.records.recorder import recorder
from loadtests.records.rows import UNTOLD
from loadtests.scenario.backoff import asked_for_s
from loadtests.users.arrivals import arrivals
from loadtests.users.connection import Connection, Exchange
from loadtests.users.foreign import ForeignStream
from loadtests.users.inbox import CODES, INLINE, PUSHED, stamp_of
from loadtests.users.user_settings import session
from servers.feed.message import Stamp
from servers.targets.tracer import Trace
from servers.timing.clock import now_ns

if TYPE_CHECKING:
    from loadtests.users.user import PatternUser

SWITCHED: Final = 101
"""The status with which a WebSocket begins."""


class _Told:
    """The body that was read last, and its stamp: what many hear alike is one body for all of them, and read once."""

    __slots__ = ("body", "stamp")

    def __init__(self) -> None:
        self.body, self.stamp = b"", Stamp()

    def read(self, body: bytes) -> None:
        """Raises ProtocolError."""
        self.stamp = stamp_of(body, control=True)
        self.body = body


_told: Final = _Told()


class Stream(Exchange):
    """A request whose response goes on. What every message touches stands in slots: a thousand of these, read in turn,
    must not be more than a cache holds.

    messages: how many it brought. status, location, asked_for_s: what the response began with. closed: what the server
    said at its end, None until then.
    """

    __slots__ = (
        "_connection",
        "_decoder",
        "_foreign",
        "_inbox",
        "_other_bytes",
        "_silence_ns",
        "_user",
        "asked_for_s",
        "closed",
        "location",
        "messages",
        "status",
    )

    def __init__(self, user: "PatternUser", foreign: ForeignStream | None, started_ns: int) -> None:
        super().__init__(started_ns)
        self._user, self._inbox, self._foreign = user, user.inbox, foreign
        self._silence_ns = round(session.options.silence_timeout_s * 1e9)
        self._other_bytes = self.messages = self.status = 0
        self.location = ""
        self.asked_for_s = 0.0
        self.closed: Closed | None = None

    def follow(self, connection: Connection) -> Closed:
        """Ask, and wait until the server closes the stream; return what it said. Raises as a request does (`FAULTS`).

        Servers break every silence with a heartbeat, so one that is quiet for much longer is gone.
        """
        self._connection = connection
        self._decoder: StreamDecoder = (self._foreign or self._user.how).follow(self._user.ask())
        self.started_ns = now_ns()
        if self._silence_ns:
            connection.deadline_ns = self.started_ns + self._silence_ns
        self._send(self._decoder.take_output())
        while self.closed is None:
            connection.wait()
        return self.closed

    def receive(self, data: bytes, received_ns: int, arrived_ns: int) -> None:
        """Take what was read."""
        body = self._decoder.lone(data) if self.messages else None
        if body is None:
            self._decode(data, received_ns, arrived_ns)
            return
        # One whole message, as nearly every read is: no event, no list, no second look at where the stream stands.
        wire_bytes = len(data)
        if self._foreign is None:
            self._take_ours(body, received_ns, arrived_ns, wire_bytes)
        else:
            self._take_foreign(*self._foreign.take_lone(body), received_ns, arrived_ns, wire_bytes)
        self.bytes_in += wire_bytes
        if self._silence_ns:
            self._connection.deadline_ns = received_ns + self._silence_ns

    def _decode(self, data: bytes, received_ns: int, arrived_ns: int) -> None:
        if not self.bytes_in and data:
            self.first_byte_ns = received_ns
        self.bytes_in += len(data)
        if not self.messages:
            recorder.glimpse(self._user.number, data)
        # A head is no stream yet: one that never ends is not waited for.
        if self.status and self._silence_ns:
            self._connection.deadline_ns = received_ns + self._silence_ns
        # The stamp is that of the last segment, and speaks for the last message if all since a rest was messages.
        other_bytes = len(data) if self._decoder.at_rest else self._other_bytes + len(data)
        try:
            events = self._decoder.receive(data)
        except ProtocolError as wrong:
            for event in wrong.events:
                self._take(event, received_ns, UNTOLD if arrived_ns else 0)
            with suppress(OSError):
                self._send(self._decoder.take_output())
            raise
        self._other_bytes = other_bytes - message_bytes(events)
        if arrived_ns > 0 and (self._other_bytes or not (events and self._decoder.at_rest)):
            arrived_ns = UNTOLD
        for event, at_ns in zip(events, arrivals(events, arrived_ns), strict=False):
            self._take(event, received_ns, at_ns)
        output = self._decoder.take_output()
        if output:
            self._send(output)
        if self.closed is not None:
            self._connection.wake()

    def _send(self, output: bytes) -> None:
        self._connection.send(output)
        self.bytes_out += len(output)

    def _take(self, event: Event, received_ns: int, arrived_ns: int) -> None:
        if type(event) is Message:
            if self._foreign is not None:
                self._take_foreign(*self._foreign.take(event.body), received_ns, arrived_ns, event.wire_bytes)
                return
            self._take_ours(event.body, received_ns, arrived_ns, event.wire_bytes, PUSHED if event.pushed else INLINE)
        elif type(event) is Head:
            self.status = event.status
            self.location = event.location
            self.asked_for_s = asked_for_s(event.retry_after)
            if self._foreign is None:
                self._user.control((event.cursor,))
            elif event.status == SWITCHED:
                self._say(self._foreign.opened())
        elif type(event) is Closed:
            self.ended_ns = received_ns
            self.closed = event
        elif type(event) is Refused:
            self._user.requested(received_ns, Exchange(received_ns), 0, CODES["refused"])

    def _take_ours(self, body: bytes, received_ns: int, arrived_ns: int, wire_bytes: int, mode: int = INLINE) -> None:
        if body is not _told.body:
            _told.read(body)
        stamp = _told.stamp
        if stamp.type:
            self._user.control((stamp.type,))
        else:
            self.messages += 1
            self._inbox.take(stamp, received_ns, arrived_ns, wire_bytes, mode)

    def _take_foreign(
        self, found: Sequence[Trace], answer: bytes, received_ns: int, arrived_ns: int, wire_bytes: int
    ) -> None:
        self._say(answer)
        self.messages += len(found)
        for trace in found:
            self._inbox.take(trace, received_ns, arrived_ns, wire_bytes // len(found))

    def _say(self, frames: bytes) -> None:
        if frames:
            self._send(frames)
