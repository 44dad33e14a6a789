"""PURE. What a WebSocket client of a foreign server says beside its handshake: its steps, then replies."""

from collections import deque

from loadtests.foreign.client import ForeignClient
from loadtests.protocols.events import ProtocolError
from loadtests.protocols.websocket_decoder import client_frame
from servers.targets.rules import parse_rule
from servers.web.websocket_frames import TEXT


class Conversation:
    """One connection's, from its opening on. `opened` and `heard` return the frames that are to be sent now."""

    def __init__(self, client: ForeignClient) -> None:
        self._client = client
        self._steps = deque(step for step in client.how.connect if not step.request)
        self._replies = client.how.reply

    def opened(self) -> bytes:
        """Raises ProtocolError for a variable that has no value yet."""
        return self._speak()

    def heard(self, body: bytes) -> bytes:
        """Raises ProtocolError when it is not what the next step expects."""
        if self._steps:
            step = self._steps.popleft()
            if parse_rule(step.expect)({}, body) is None:
                raise ProtocolError(f"connect: {step.expect!r} is not in what came: {body[:60]!r}")
            self._client.learn(step.remember, {}, body)
            return self._speak()
        said = b""
        for reply in self._replies:
            found = parse_rule(reply.when)({}, body)
            if found is not None:
                said += self._frame(reply.send, found)
        return said

    def _speak(self) -> bytes:
        """Say what is to be said up to where something is expected; that step is left for `heard`."""
        said = b""
        while self._steps:
            step = self._steps[0]
            if step.send:
                said += self._frame(step.send)
            if step.expect:
                break
            self._steps.popleft()
        return said

    def _frame(self, text: str, found: str = "") -> bytes:
        return client_frame(TEXT, self._client.fill(text, {"found": found}).encode())
