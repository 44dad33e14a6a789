"""What all streams share: one request whose response goes on, decoded and recorded as it is read."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

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
from loadtests.users.foreign import ForeignStream, take_steps
from loadtests.users.user import CODES, CUT, FAULTS, INLINE, PUSHED, LastStamp, PatternUser
from loadtests.users.user_settings import session
from servers.targets.tracer import Trace
from servers.timing.clock import now_ns

SWITCHED = 101
"""The status with which a WebSocket begins."""
_stamps: Final = LastStamp()


class StreamUser(PatternUser):
    """A user that asks once and listens until the stream ends, then resumes by its cursor.

    A push that is refused is recorded as a request of its own with the error "refused".
    """

    abstract = True

    def on_start(self) -> None:
        super().on_start()
        foreign = self.foreign
        self._foreign = ForeignStream(foreign) if foreign is not None else None

    def live(self) -> None:
        self._silence_ns = round(session.options.silence_timeout_s * 1e9)
        while True:
            if self._listen() != CODES["protocol"] and self._messages:
                self.backoff.succeeded()
            self.pause(self.backoff.failed(self._asked_for_s))

    def _listen(self) -> int:
        """Follow one stream from request to end, wherever its server leads, and return its error."""
        error = self._follow()
        while self.foreign is not None and self.foreign.is_led:
            error = self._follow()
        return error

    def _follow(self) -> int:
        """Make one request, record it, and return its error. An answer that leads on, and is followed, is none."""
        due_ns = now_ns()
        self._exchange = Exchange(due_ns)
        self._status = self._messages = 0
        self._location = ""
        self._asked_for_s = 0.0
        self._closed: Closed | None = None
        error, connection = CUT, None
        try:
            if self.foreign is not None:
                self.way = self.foreign.way
                if not self.foreign.is_led:
                    take_steps(self.foreign, self.connect)
            connection = self._connection = self.connect(self._received)
            self._ask(connection)
            error = CODES[self._end_of(connection).error]
            if self.foreign is not None and self.foreign.led(self._status, self._location):
                error = 0
        except FAULTS as wrong:
            error = self.code_of(wrong)
        finally:
            self.requested(due_ns, self._exchange, self._status, error, self._messages)
            if connection is not None:
                connection.close()
        return error

    def _ask(self, connection: Connection) -> None:
        self._decoder: StreamDecoder = (self._foreign or self.how).follow(self.ask())
        self._other_bytes = 0
        self._exchange.started_ns = now_ns()
        self._listened(connection, self._exchange.started_ns)
        self._send(self._decoder.take_output())

    def _end_of(self, connection: Connection) -> Closed:
        """Wait until the server closes the stream; return what it said."""
        while self._closed is None:
            connection.wait()
        return self._closed

    def _received(self, data: bytes, received_ns: int, arrived_ns: int) -> None:
        body = self._decoder.lone(data) if self._messages else None
        if body is None:
            self._decoded(data, received_ns, arrived_ns)
            return
        # One whole message, as nearly every read is: no event, no list, no second look at where the stream stands.
        if self._foreign is None:
            self._take_ours(body, received_ns, arrived_ns, len(data))
        else:
            self._take_foreign(*self._foreign.take_lone(body), received_ns, arrived_ns, len(data))
        self._exchange.bytes_in += len(data)
        if self._silence_ns:
            self._connection.deadline_ns = received_ns + self._silence_ns

    def _decoded(self, data: bytes, received_ns: int, arrived_ns: int) -> None:
        exchange, connection = self._exchange, self._connection
        if not exchange.bytes_in and data:
            exchange.first_byte_ns = received_ns
        exchange.bytes_in += len(data)
        if not self._messages:
            recorder.glimpse(self.number, data)
        # A head is no stream yet: one that never ends is not waited for.
        if self._status and self._silence_ns:
            connection.deadline_ns = received_ns + self._silence_ns
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
        if self._closed is not None:
            connection.wake()

    def _listened(self, connection: Connection, at_ns: int) -> None:
        """Servers break every silence with a heartbeat, so one that is quiet for much longer is gone."""
        connection.deadline_ns = at_ns + self._silence_ns if self._silence_ns else 0

    def _send(self, output: bytes) -> None:
        self._connection.send(output)
        self._exchange.bytes_out += len(output)

    def _take(self, event: Event, received_ns: int, arrived_ns: int) -> None:
        if type(event) is Message:
            if self._foreign is not None:
                self._take_foreign(*self._foreign.take(event.body), received_ns, arrived_ns, event.wire_bytes)
                return
            self._take_ours(event.body, received_ns, arrived_ns, event.wire_bytes, PUSHED if event.pushed else INLINE)
        elif type(event) is Head:
            self._status = event.status
            self._location = event.location
            self._asked_for_s = asked_for_s(event.retry_after)
            if self._foreign is None:
                self.control((event.cursor,))
            elif event.status == SWITCHED:
                self._say(self._foreign.opened())
        elif type(event) is Closed:
            self._exchange.ended_ns = received_ns
            self._closed = event
        elif type(event) is Refused:
            self.requested(received_ns, Exchange(received_ns), 0, CODES["refused"])

    def _take_ours(self, body: bytes, received_ns: int, arrived_ns: int, wire_bytes: int, mode: int = INLINE) -> None:
        stamp = _stamps.of(body)
        if stamp.type:
            self.control((stamp.type,))
        else:
            self._messages += 1
            self.delivered(stamp, received_ns, arrived_ns, wire_bytes, mode)

    def _take_foreign(
        self, found: Sequence[Trace], answer: bytes, received_ns: int, arrived_ns: int, wire_bytes: int
    ) -> None:
        self._say(answer)
        self._messages += len(found)
        for trace in found:
            self.delivered(trace, received_ns, arrived_ns, wire_bytes // len(found))

    def _say(self, frames: bytes) -> None:
        if frames:
            self._send(frames)
