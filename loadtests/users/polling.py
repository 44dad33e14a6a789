"""What short and long polling share: one request after another on a connection that is kept alive."""

from typing import Final, cast

from loadtests.protocols.events import ProtocolError
from loadtests.protocols.http1 import ResponseReader
from loadtests.protocols.polls import GOOD as GOOD_OF_OURS
from loadtests.protocols.polls import NOT_MODIFIED, Polls, answer_of
from loadtests.records.recorder import recorder
from loadtests.scenario.backoff import asked_for_s
from loadtests.users.connection import Connection, Exchange
from loadtests.users.foreign import ForeignPolls
from loadtests.users.inbox import CODES, stamp_of
from loadtests.users.user import CUT, FAULTS, PatternUser
from loadtests.users.user_settings import session
from servers.timing.clock import now_ns

REQUEST_TIMEOUT: Final = 408
GOOD_OF_FOREIGN: Final = GOOD_OF_OURS | {REQUEST_TIMEOUT}
"""With which servers answer that there is nothing new: nchan says 408."""


class PollingUser(PatternUser):
    """A user that asks, reads the whole answer, and asks again.

    How often is for `live` to say. held: whether the server may keep a request; patience_s: how long that may take.
    """

    abstract = True
    held = False
    patience_s = 30.0

    def on_start(self) -> None:
        super().on_start()
        self._connection: Connection | None = None
        foreign = self.foreign
        self._foreign = ForeignPolls(foreign, repeats=not self.held) if foreign is not None else None
        self._reader = self._new_reader()
        self._exchange = Exchange(0)
        self._polls = cast(Polls, self.how.follow(self.ask()))
        self._etag = ""
        self._asked_for = -1
        self._request = b""
        if foreign is not None and self.held:
            self.patience_s += foreign.how.hold_s - session.options.hold_timeout_s
        self._patience_ns = round(self.patience_s * 1e9)

    def poll(self, due_ns: int) -> bool:
        """Ask once for what comes after the cursor, and record it; return whether an answer came.

        A request that fails is recorded with its error, and followed by a pause.
        """
        error, self._exchange = CUT, Exchange(now_ns())
        try:
            self._prepare()
            self._ask()
            while self._is_led_on(due_ns):
                self._ask()
            error = 0 if self._is_good(self._reader.status) else CODES["status"]
            if not error:
                self._answered(due_ns)
        except FAULTS as wrong:
            error = self.code_of(wrong)
        finally:
            if error:
                self._failed(due_ns, error)
        if error:
            self.pause(self.backoff.failed(self._retry_after_s(error)))
        return not error

    def _prepare(self) -> None:
        """Have the request ready that asks for what comes after the cursor."""
        if self.foreign is not None and self._foreign is not None:
            if (way := self.foreign.way) != self.way:
                self.disconnect()
                self.way = way
            self._request = self._foreign.request(self.connect)
        elif self._asked_for != self.inbox.cursor:
            # Another cursor is another URL, of which no state is known yet (RFC 9110 section 13.1.2).
            self._asked_for, self._etag = self.inbox.cursor, ""
            self._request = self._polls.request(self.inbox.cursor)

    def _is_led_on(self, due_ns: int) -> bool:
        """Record an answer that leads elsewhere, and have the request ready that follows it; return whether it did."""
        reader = self._reader
        if self.foreign is None or not self.foreign.led(reader.status, reader.headers.get("location", "")):
            return False
        self.requested(due_ns, self._exchange, reader.status)
        if not reader.keep_alive:
            self.disconnect()
        self._exchange = Exchange(now_ns())
        self._prepare()
        return True

    def _is_good(self, status: int) -> bool:
        if self._foreign is not None:
            return status in GOOD_OF_FOREIGN
        return status in GOOD_OF_OURS and (status != NOT_MODIFIED or bool(self._etag))

    def disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def on_stop(self) -> None:
        self.disconnect()

    def _ask(self) -> None:
        """Send the request and wait for its answer. A connection that the server closed between polls is no error.

        Nor is one that it closed as the request was on its way: that is sent again, once (RFC 9112 section 9.3.1).
        """
        connection = self._connection
        if connection is None or connection.problem is not None:
            connection = self._connect()
            self._exchange.started_ns = now_ns()
            self._exchanged(connection)
            return
        try:
            self._exchanged(connection)
        except OSError:
            if self._reader.begun:
                raise
        turned_away = self._reader.status == REQUEST_TIMEOUT and not self._reader.keep_alive and self._foreign is None
        if not self._exchange.ended_ns or turned_away:
            self._exchange.again()
            self._exchanged(self._connect())

    def _exchanged(self, connection: Connection) -> None:
        exchange = self._exchange
        connection.deadline_ns = exchange.started_ns + self._patience_ns
        connection.send(self._request)
        exchange.bytes_out += len(self._request)
        while not exchange.ended_ns:
            connection.wait()
        connection.deadline_ns = 0

    def _connect(self) -> Connection:
        self.disconnect()
        self._reader = self._new_reader()
        self._connection = self.connect(self._received)
        return self._connection

    def _new_reader(self) -> ResponseReader:
        options = session.options
        gzip = options.compress if self.foreign is None else self.foreign.how.gzip
        return ResponseReader(gzip=gzip, limit_bytes=options.message_limit_bytes)

    def _received(self, data: bytes, received_ns: int, arrived_ns: int) -> None:
        exchange = self._exchange
        in_one_read = not exchange.first_byte_ns
        if exchange.ended_ns:
            raise ProtocolError("bytes without a request")
        if in_one_read and data:
            exchange.first_byte_ns = received_ns
            if self.inbox.cursor == self.first_cursor:
                recorder.glimpse(self.number, data, anew=True)
        exchange.bytes_in += len(data)
        if self._reader.receive(data):
            exchange.ended_ns, exchange.arrived_ns = received_ns, arrived_ns
            if self._connection is not None:
                self._connection.wake()

    def _answered(self, due_ns: int) -> None:
        exchange = self._exchange
        count = self._deliver() if self._foreign is None else self._deliver_foreign(self._foreign)
        hold_ns = exchange.first_byte_ns - exchange.started_ns if self.held else 0
        self.requested(due_ns, exchange, self._reader.status, 0, count, not count, hold_ns)
        self.backoff.succeeded()
        if session.options.etag and self._foreign is None and self.inbox.cursor == self._asked_for and not self._etag:
            self._remember()
        if session.options.no_keep_alive or not self._reader.keep_alive:
            self.disconnect()

    def _deliver(self) -> int:
        """Record the messages in an answer; return how many there are."""
        exchange, (answer, share) = self._exchange, answer_of(self._reader)
        if answer.cursor:
            self.control((answer.cursor,))
        # All of them first: of an answer that cannot be read whole nothing counts, and its request brought nothing.
        stamps = [stamp_of(raw) for raw in answer.messages]
        for stamp, wire_bytes in zip(stamps, answer.lengths(share), strict=True):
            self.inbox.take(stamp, exchange.ended_ns, exchange.arrived_ns, wire_bytes)
        return len(answer.messages)

    def _deliver_foreign(self, foreign: ForeignPolls) -> int:
        exchange, reader = self._exchange, self._reader
        found = foreign.take(reader.headers, reader.body)
        for trace in found:
            self.inbox.take(trace, exchange.ended_ns, exchange.arrived_ns, reader.sent_bytes // len(found))
        return len(found)

    def _remember(self) -> None:
        """Ask with the validator of this state from now on, until the cursor moves."""
        self._etag = self._reader.headers.get("etag", "")
        self._request = self._polls.request(self.inbox.cursor, self._etag)

    def _failed(self, due_ns: int, error: int) -> None:
        if self._foreign is not None:
            self._foreign.failed()
        answered = error == CODES["status"]
        self.requested(due_ns, self._exchange, self._reader.status if answered else 0, error)
        if not answered or not self._reader.keep_alive:
            self.disconnect()

    def _retry_after_s(self, error: int) -> float:
        return asked_for_s(self._reader.headers.get("retry-after", "")) if error == CODES["status"] else 0.0
