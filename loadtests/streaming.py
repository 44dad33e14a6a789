"""What all streams share: one request whose response goes on, read from the event loop's own callback.

The user's greenlet sleeps; when its socket is readable the loop calls `_readable`, which reads the clock, decodes and
records. Without a greenlet switch a message costs 40 % less, and the last of a broadcast's readers waits half as long.
"""

import gevent
import msgspec
from gevent.event import Event as GreenEvent

from loadtests.events import Closed, Head, Message, ProtocolError, StreamDecoder
from loadtests.events import Event as StreamEvent
from loadtests.transport import READ_BYTES, Exchange
from loadtests.user import CODES, CUT, MODE_CODES, PatternUser
from servers.clock import now_ns
from servers.message import decode_stamp

SILENCE_S = 60.0
"""Servers break every silence with a heartbeat; one that is quiet for so long is gone."""


class StreamUser(PatternUser):
    """A user that asks once and listens until the stream ends, then resumes by its cursor."""

    abstract = True

    def decoder(self) -> StreamDecoder:
        """Return a decoder whose first output is the request for what comes after `self.cursor`."""
        raise NotImplementedError

    def live(self) -> None:
        while True:
            self._listen()
            self.pause(self.backoff.failed())

    def _listen(self) -> None:
        """Follow one stream from request to end, and record it as one request."""
        self._exchange = Exchange(now_ns())
        self._status = self._messages = 0
        self._error = CUT
        self._over = GreenEvent()
        due_ns = self._exchange.started_ns
        connection = None
        try:
            connection = self._connection = self.connect()
            self._decoder = self.decoder()
            self._send()
            watcher = gevent.get_hub().loop.io(connection.socket.fileno(), 1)
            watcher.start(self._readable)
            try:
                self._wait_for_end()
            finally:
                watcher.stop()
                watcher.close()
        except ConnectionRefusedError:
            self._error = CODES["refused"]
        except OSError:
            self._error = CODES["reset"]
        finally:
            self.requested(due_ns, self._exchange, self._status, self._error, self._messages)
            if connection is not None:
                connection.close()

    def _wait_for_end(self) -> None:
        heard_bytes = -1
        while not self._over.wait(SILENCE_S):
            if self._exchange.bytes_in == heard_bytes:
                self._error = CODES["timeout"]
                return
            heard_bytes = self._exchange.bytes_in

    def _send(self) -> None:
        data = self._decoder.take_output()
        if data:
            self._connection.socket.sendall(data)
            self._exchange.bytes_out += len(data)

    def _readable(self) -> None:
        """Called by the event loop: must neither block nor raise."""
        try:
            data = self._connection.socket._sock.recv(READ_BYTES)
            received_ns = now_ns()
        except BlockingIOError:
            return
        except OSError:
            self._end(CODES["reset"])
            return
        if not data:
            self._end(CODES["reset"])
            return
        exchange = self._exchange
        if not exchange.bytes_in:
            exchange.first_byte_ns = received_ns
        exchange.bytes_in += len(data)
        try:
            for event in self._decoder.receive(data):
                self._take(event, received_ns)
            answer = self._decoder.take_output()
        except (ProtocolError, msgspec.MsgspecError):
            self._end(CODES["protocol"])
            return
        if answer:
            exchange.bytes_out += len(answer)
            gevent.spawn(self._connection.socket.sendall, answer)

    def _take(self, event: StreamEvent, received_ns: int) -> None:
        if type(event) is Message:
            stamp = decode_stamp(event.body)
            if stamp.type:
                self.control((stamp.type,))
            else:
                self._messages += 1
                self.delivered(stamp, received_ns, event.wire_bytes, MODE_CODES["pushed" if event.pushed else "inline"])
        elif type(event) is Head:
            self._status = event.status
            self.control((event.cursor,))
            if event.status in {200, 101}:
                self.backoff.succeeded()
        elif type(event) is Closed:
            self._exchange.ended_ns = received_ns
            self._end(CODES[event.error])

    def _end(self, error: int) -> None:
        self._error = error
        self._over.set()
