"""What short and long polling share: one request after another on a connection that is kept alive."""

from typing import Final

import msgspec

from loadtests.events import ProtocolError
from loadtests.http1 import ResponseReader
from loadtests.transport import Connection, Exchange, NoAnswer
from loadtests.user import CODES, CUT, PatternUser
from servers.clock import now_ns
from servers.message import decode_stamp

RETRY_AFTER_MAX_S: Final = 60.0
"""A server may ask for any pause; a user that obeyed all of them might never be heard of again."""


class PollBody(msgspec.Struct, frozen=True):
    """The body of a poll, its messages still encoded, so that each one's bytes can be counted."""

    messages: list[msgspec.Raw]
    cursor: str = ""


decode_poll = msgspec.json.Decoder(PollBody).decode


class PollingUser(PatternUser):
    """A user that asks, reads the whole answer, and asks again.

    A pattern sets path, query (what the request says beside the cursor), held (whether the server may keep a request)
    and patience_s (how long an answer may take).
    """

    abstract = True
    path = ""
    query = ""
    held = False
    patience_s = 30.0

    def on_start(self) -> None:
        super().on_start()
        self._connection: Connection | None = None
        self._reader = ResponseReader()
        self._exchange = Exchange(0)
        self._head = f"GET {self.path}?{self.query}last_id="
        self._tail = f" HTTP/1.1\r\nHost: {self.netloc}\r\n\r\n"
        self._asked_for = -1
        self._request = b""
        self._patience_ns = round(self.patience_s * 1e9)

    def poll(self, due_ns: int) -> bool:
        """Ask once for what comes after the cursor, and record it; return whether an answer came.

        A request that fails is recorded with its error, and followed by a pause.
        """
        if self._asked_for != self.cursor:
            self._asked_for = self.cursor
            self._request = f"{self._head}{self.cursor}{self._tail}".encode("ascii")
        error, self._exchange = CUT, Exchange(now_ns())
        try:
            self._ask()
            error = 0 if self._reader.status == 200 else CODES["status"]
            if not error:
                self._answered(due_ns)
        except NoAnswer:
            error = CODES["timeout"]
        except ConnectionRefusedError:
            error = CODES["refused"]
        except OSError:
            error = CODES["reset"]
        except (ProtocolError, msgspec.MsgspecError):
            error = CODES["protocol"]
        finally:
            if error:
                self._failed(due_ns, error)
        if error:
            self.pause(self.backoff.failed(self._retry_after_s(error)))
        return not error

    def disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def on_stop(self) -> None:
        self.disconnect()

    def _ask(self) -> None:
        """Send the request and wait for its answer. A connection that the server closed between polls is no error."""
        exchange, connection = self._exchange, self._connection
        if connection is None or connection.problem is not None:
            connection = self._connect()
            exchange.started_ns = now_ns()
        connection.deadline_ns = exchange.started_ns + self._patience_ns
        connection.send(self._request)
        exchange.bytes_out = len(self._request)
        while not exchange.ended_ns:
            connection.wait()
        connection.deadline_ns = 0

    def _connect(self) -> Connection:
        self.disconnect()
        self._reader = ResponseReader()
        self._connection = self.connect(self._received)
        return self._connection

    def _received(self, data: bytes, received_ns: int, arrived_ns: int) -> None:
        exchange = self._exchange
        if not exchange.bytes_in:
            exchange.first_byte_ns = received_ns
        elif exchange.ended_ns:
            raise ProtocolError("bytes that nobody asked for")
        exchange.bytes_in += len(data)
        if self._reader.receive(data):
            exchange.ended_ns = received_ns
            if exchange.bytes_in == len(data):
                exchange.arrived_ns = arrived_ns
            if self._connection is not None:
                self._connection.wake()

    def _answered(self, due_ns: int) -> None:
        exchange, answer = self._exchange, decode_poll(self._reader.body)
        if answer.cursor:
            self.control((answer.cursor,))
        # All of them first: of an answer that cannot be read whole nothing counts, and its request brought nothing.
        stamps = [decode_stamp(raw) for raw in answer.messages]
        for raw, stamp in zip(answer.messages, stamps, strict=True):
            self.delivered(stamp, exchange.ended_ns, exchange.arrived_ns, len(memoryview(raw)) + 1)
        count = len(answer.messages)
        hold_ns = exchange.first_byte_ns - exchange.started_ns if self.held else 0
        self.requested(due_ns, exchange, 200, 0, count, not count, hold_ns)
        self.backoff.succeeded()
        if not self._reader.keep_alive:
            self.disconnect()

    def _failed(self, due_ns: int, error: int) -> None:
        answered = error == CODES["status"]
        self.requested(due_ns, self._exchange, self._reader.status if answered else 0, error)
        if not answered or not self._reader.keep_alive:
            self.disconnect()

    def _retry_after_s(self, error: int) -> float:
        wanted = self._reader.headers.get("retry-after", "") if error == CODES["status"] else ""
        return min(float(wanted), RETRY_AFTER_MAX_S) if wanted.isdecimal() else 0.0
