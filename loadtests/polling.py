"""What short and long polling share: one request after another on a connection that is kept alive."""

import zlib
from typing import Final

import msgspec

from loadtests.backoff import asked_for_s
from loadtests.events import ProtocolError
from loadtests.http1 import ACCEPT_GZIP, ResponseReader
from loadtests.session import session
from loadtests.transport import Connection, Exchange, NoAnswer
from loadtests.user import CODES, CUT, PatternUser
from servers.clock import now_ns
from servers.message import decode_stamp


class PollBody(msgspec.Struct, frozen=True):
    """The body of a poll, its messages still encoded, so that each one's bytes can be counted."""

    messages: list[msgspec.Raw]
    cursor: str = ""


NOTHING: Final = PollBody([])
NOT_MODIFIED: Final = 304
GZIP_MAGIC: Final = b"\x1f\x8b"
"""How gzip begins, and JSON never: so the head need not be read for it (RFC 1952 section 2.3.1)."""
GZIP_BITS: Final = 31
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
        accepted = ACCEPT_GZIP if session.options.compress else ""
        self._tail = f" HTTP/1.1\r\nHost: {self.netloc}\r\n{accepted}"
        self._etag = ""
        self._asked_for = -1
        self._request = b""
        self._patience_ns = round(self.patience_s * 1e9)

    def poll(self, due_ns: int) -> bool:
        """Ask once for what comes after the cursor, and record it; return whether an answer came.

        A request that fails is recorded with its error, and followed by a pause.
        """
        if self._asked_for != self.cursor:
            # Another cursor is another URL, of which no state is known yet (RFC 9110 section 13.1.2).
            self._asked_for, self._etag = self.cursor, ""
            self._request = f"{self._head}{self.cursor}{self._tail}\r\n".encode("ascii")
        error, self._exchange = CUT, Exchange(now_ns())
        try:
            self._ask()
            status = self._reader.status
            error = 0 if status == 200 or (status == NOT_MODIFIED and self._etag) else CODES["status"]
            if not error:
                self._answered(due_ns)
        except NoAnswer:
            error = CODES["timeout"]
        except ConnectionRefusedError:
            error = CODES["refused"]
        except OSError:
            error = CODES["reset"]
        except (ProtocolError, msgspec.MsgspecError, zlib.error):
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
        exchange, (answer, shrunk) = self._exchange, self._answer()
        if answer.cursor:
            self.control((answer.cursor,))
        # All of them first: of an answer that cannot be read whole nothing counts, and its request brought nothing.
        stamps = [decode_stamp(raw) for raw in answer.messages]
        for raw, stamp in zip(answer.messages, stamps, strict=True):
            self.delivered(stamp, exchange.ended_ns, exchange.arrived_ns, round((len(memoryview(raw)) + 1) * shrunk))
        count = len(answer.messages)
        hold_ns = exchange.first_byte_ns - exchange.started_ns if self.held else 0
        self.requested(due_ns, exchange, self._reader.status, 0, count, not count, hold_ns)
        self.backoff.succeeded()
        if session.options.etag and self.cursor == self._asked_for and not self._etag:
            self._remember()
        if session.options.no_keep_alive or not self._reader.keep_alive:
            self.disconnect()

    def _answer(self) -> tuple[PollBody, float]:
        """Return what was answered, and which share of its length came over the network.

        A 304 says that it is what was said before, which is nothing new.
        """
        if self._reader.status == NOT_MODIFIED:
            return NOTHING, 1.0
        sent = self._reader.body
        body = zlib.decompress(sent, GZIP_BITS) if sent.startswith(GZIP_MAGIC) else sent
        return decode_poll(body), len(sent) / len(body) if body else 1.0

    def _remember(self) -> None:
        """Ask with the validator of this state from now on, until the cursor moves."""
        self._etag = self._reader.headers.get("etag", "")
        if self._etag:
            field = f"If-None-Match: {self._etag}\r\n"
            self._request = f"{self._head}{self.cursor}{self._tail}{field}\r\n".encode("latin-1")

    def _failed(self, due_ns: int, error: int) -> None:
        answered = error == CODES["status"]
        self.requested(due_ns, self._exchange, self._reader.status if answered else 0, error)
        if not answered or not self._reader.keep_alive:
            self.disconnect()

    def _retry_after_s(self, error: int) -> float:
        return asked_for_s(self._reader.headers.get("retry-after", "")) if error == CODES["status"] else 0.0
