"""What short and long polling share: one request after another on a connection that is kept alive."""

import msgspec

from loadtests.events import ProtocolError
from loadtests.transport import Connection, Exchange, NoAnswer
from loadtests.user import CODES, CUT, PatternUser
from servers.clock import now_ns
from servers.message import decode_stamp


class PollBody(msgspec.Struct, frozen=True):
    """The body of a poll, its messages still encoded, so that each one's bytes can be counted."""

    messages: list[msgspec.Raw]
    cursor: str = ""


decode_poll = msgspec.json.Decoder(PollBody).decode


class PollingUser(PatternUser):
    """A user that asks, reads the whole answer, and asks again."""

    abstract = True
    path = ""
    query = ""
    held = False

    def on_start(self) -> None:
        super().on_start()
        self._connection: Connection | None = None
        self._head = f"GET {self.path}?{self.query}last_id="
        self._tail = f" HTTP/1.1\r\nHost: {self.netloc}\r\n\r\n"
        self._asked_for = -1
        self._asked_ns = 0
        self._request = b""

    def poll(self, due_ns: int, timeout_s: float) -> bool:
        """Ask once for what comes after the cursor, and record it; return whether an answer came.

        A request that fails is recorded with its error, and followed by a pause.
        """
        if self._asked_for != self.cursor:
            self._asked_for = self.cursor
            self._request = f"{self._head}{self.cursor}{self._tail}".encode("ascii")
        error = CUT
        try:
            connection = self._connection or self._connect()
            exchange = connection.exchange(self._request, timeout_s)
            if connection.reader.status == 200:
                error = 0
                self._answered(due_ns, exchange, connection.reader.body)
                if not connection.reader.keep_alive:
                    self.disconnect()
            else:
                error = CODES["status"]
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
            self.pause(self.backoff.failed(self._retry_after_s()))
        return not error

    def _connect(self) -> Connection:
        self._asked_ns = now_ns()
        self._connection = self.connect()
        return self._connection

    def disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def on_stop(self) -> None:
        self.disconnect()

    def _answered(self, due_ns: int, exchange: Exchange, body: bytes) -> None:
        answer = decode_poll(body)
        if answer.cursor:
            self.control((answer.cursor,))
        for raw in answer.messages:
            self.delivered(decode_stamp(raw), exchange.ended_ns, len(memoryview(raw)) + 1)
        count = len(answer.messages)
        hold_ns = exchange.first_byte_ns - exchange.started_ns if self.held else 0
        self.requested(due_ns, exchange, 200, 0, count, not count, hold_ns)
        self.backoff.succeeded()

    def _failed(self, due_ns: int, error: int) -> None:
        connection = self._connection
        if connection is None:
            self.requested(due_ns, Exchange(self._asked_ns), 0, error)
            return
        answered = error == CODES["status"]
        self.requested(due_ns, connection.last, connection.reader.status if answered else 0, error)
        if not answered:
            self.disconnect()

    def _retry_after_s(self) -> float:
        wanted = self._connection.reader.headers.get("retry-after", "") if self._connection else ""
        return float(wanted) if wanted.isdigit() else 0.0
