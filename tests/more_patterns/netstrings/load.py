"""PURE. Netstrings: LENGTH:BODY, on a response that never ends."""

from loadtests.protocols.asking import Ask
from loadtests.protocols.events import ProtocolError
from loadtests.protocols.http1 import get
from loadtests.protocols.stream_decoders import TextStream
from loadtests.protocols.text_parsers import TextEvent


class Netstrings:
    """What has come of one that is not whole is held."""

    wrong: ProtocolError | None = None
    last_id = b""

    def __init__(self) -> None:
        self._held = b""

    @property
    def at_rest(self) -> bool:
        return not self._held

    def feed(self, text: bytes) -> list[TextEvent]:
        self._held += text
        found = []
        while (colon := self._held.find(b":")) > 0:
            end = colon + 1 + int(self._held[:colon])
            if len(self._held) <= end:
                break
            found.append(TextEvent(self._held[colon + 1 : end], end + 1))
            self._held = self._held[end + 1 :]
        return found

    def end(self) -> list[TextEvent]:
        return []


def follow(ask: Ask) -> TextStream:
    return TextStream(get(ask.netloc, ask.target), Netstrings(), limit_bytes=ask.limit_bytes)
