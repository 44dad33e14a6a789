"""What all streaming patterns share: a user that follows one stream after another."""

from loadtests.users.connection import Connection
from loadtests.users.foreign import ForeignStream, take_steps
from loadtests.users.inbox import CODES
from loadtests.users.stream import Stream
from loadtests.users.user import CUT, FAULTS, PatternUser
from servers.timing.clock import now_ns


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
        while True:
            error, stream = self._listen()
            if error != CODES["protocol"] and stream.messages:
                self.backoff.succeeded()
            self.pause(self.backoff.failed(stream.asked_for_s))

    def _listen(self) -> tuple[int, Stream]:
        """Follow one stream from request to end, wherever its server leads; return its error, and the stream."""
        error, stream = self._follow()
        while self.foreign is not None and self.foreign.is_led:
            error, stream = self._follow()
        return error, stream

    def _follow(self) -> tuple[int, Stream]:
        """Make one request, record it, and return its error. An answer that leads on, and is followed, is none."""
        due_ns = now_ns()
        stream = Stream(self, self._foreign, due_ns)
        error = CUT
        connection: Connection | None = None
        try:
            if self.foreign is not None:
                self.way = self.foreign.way
                if not self.foreign.is_led:
                    take_steps(self.foreign, self.connect)
            connection = self.connect(stream.receive)
            error = CODES[stream.follow(connection).error]
            if self.foreign is not None and self.foreign.led(stream.status, stream.location):
                error = 0
        except FAULTS as wrong:
            error = self.code_of(wrong)
        finally:
            self.requested(due_ns, stream, stream.status, error, stream.messages)
            if connection is not None:
                connection.close()
        return error, stream
