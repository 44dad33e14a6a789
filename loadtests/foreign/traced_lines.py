"""PURE. Text that goes on, perhaps without line ends: what ends with a line, or has a whole tracer, is a message."""

from loadtests.protocols.stream_decoders import LINES, TextStream
from loadtests.protocols.text_parsers import LineParser, TextEvent
from servers.targets.tracer import LONGEST_BYTES, is_in


class TracedLineParser(LineParser):
    """Lines; and of a line whose end has not come, what has come, as soon as there is a whole tracer in it."""

    def feed(self, text: bytes) -> list[TextEvent]:
        known_bytes = len(self._tail)
        events = super().feed(text)
        if self._tail and is_in(self._tail, max(0, known_bytes - LONGEST_BYTES) if not events else 0):
            events = [*events, *self.end()]
        return events


class TracedLinesDecoder(TextStream):
    """A stream of no known form, from a server that is not ours."""

    __slots__ = ()

    def __init__(self, request: bytes, *, gzip: bool, limit_bytes: int) -> None:
        super().__init__(request, TracedLineParser(limit_bytes), LINES, gzip=gzip, limit_bytes=limit_bytes)
