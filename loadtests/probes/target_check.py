"""Sends three messages through a foreign server and tells, field by field, what one client of each pattern saw.

Beside that: whether a browser's EventSource would have got them, what an answer without news looks like, and whether a
client that was cut off is told what it missed.
"""

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import Final

from loadtests.foreign.spec import Chosen, ForeignTarget
from loadtests.host.managed_process import ChildFailed
from loadtests.probes.foreign_look import Look, Seen, fields_of, place_of
from loadtests.protocols.events import ProtocolError
from loadtests.runs.commands import HOST, OURS
from loadtests.runs.foreign import outlet
from loadtests.runs.foreign.roll_call import cause
from loadtests.runs.target import Target, WrongServer
from servers.targets.tracer import mint
from servers.targets.variables import Misunderstood, hidden, secrets_of

MESSAGES: Final = 3
SETTLE_S: Final = 0.25
"""From asking to the first message, as in a cell."""
BEYOND_S: Final = 5.0
"""What publishes says by then that it had no answer in time."""
SHOWN_BYTES: Final = 100
SWITCHED: Final = 101
OF_BROWSERS: Final = {"host", "accept", "cache-control", "cookie", "last-event-id"}
"""What EventSource sends: Cookie where the page may."""
EVERYBODYS: Final = {"host", "connection", "upgrade", "sec-websocket-version", "sec-websocket-key", "authorization"}
CONTENT: Final = "x" * 120
LOST: Final = "others came: it was lost between two answers or connections, so let `remember` say where to go on"
FAULTS: Final = (OSError, ProtocolError, Misunderstood, WrongServer)


class CheckFailed(Exception):
    """The server cannot be measured so; the message says what was seen and what is likely."""


def check(chosen: Chosen, idle_s: float, say: Callable[[str], None]) -> bool:
    """Say what was seen, a line at a time; return whether every pattern heard all. Raises CheckFailed.

    idle_s: how long a client listens before anything is published.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pollbench-check-")))
        run = secrets.token_hex(8)
        try:
            said = outlet.answered(stack.enter_context(outlet.started(chosen, run, folder)), chosen, OURS.ready_s)
        except ChildFailed as problem:
            raise CheckFailed(str(problem)) from None
        control = Target(f"http://{HOST}:{said.http_port}", run)
        if control.foreign is None:
            raise CheckFailed("the outlet does not say which server to follow")
        say(f"server      {said.target}")
        hide = secrets_of(chosen.adapter)
        heard = [
            _Pattern(control.foreign, pattern, control, idle_s, lambda line: say(hidden(line, hide))).look()
            for pattern in chosen.adapter.subscriptions()
        ]
        if not heard:
            raise CheckFailed("the adapter says nothing of subscribing: add a table such as [sse]")
        return all(heard)


class _Pattern:
    def __init__(
        self, target: ForeignTarget, pattern: str, control: Target, idle_s: float, say: Callable[[str], None]
    ) -> None:
        self._target, self._pattern, self._control = target, pattern, control
        self._idle_s, self._say = idle_s, say
        self._limit_s = target.adapter.roll_call_s
        self._post_s = target.adapter.publish.timeout_s + BEYOND_S
        self._look = Look(target, pattern)

    def look(self) -> bool:
        """Say all; return whether every message was heard."""
        try:
            self._look.open()
            self._row(f"asks {_asked(self._look.asked)}")
            self._idle()
            heard = [self._message(number) for number in range(1, MESSAGES + 1)]
            if all(heard):
                self._cut()
        except WrongServer as wrong:
            heard = [False]
            state = Target(self._control.host).stats.backplane
            self._row(f"a message was not taken: {state.problem}" if state and state.problem else str(wrong))
        except SSLCertVerificationError as wrong:
            heard = [False]
            self._row(f"its certificate is not trusted ({wrong.verify_message}): name who signed it with --ca FILE")
        except FAULTS as wrong:
            heard = [False]
            failed = {"refused": 1} if isinstance(wrong, ConnectionRefusedError) else {"protocol": 1}
            self._row(f"{wrong}; likely: {cause(self._pattern, self._target.run, self._look.first, failed)}")
        finally:
            self._look.close()
        return all(heard)

    def _row(self, text: str, indent: str = "") -> None:
        self._say(f"{self._pattern:16}{indent}{' '.join(text.split())}")

    def _idle(self) -> None:
        """Say what a client is sent while there is no news."""
        look = self._look
        look.hear(self._idle_s)
        kind = look.headers.get("content-type", "no Content-Type")
        answered = f"answered {look.status}{'' if look.status == SWITCHED else f', {kind}'}" if look.status else ""
        if not look.polled:
            self._row(answered or f"no answer within {self._idle_s:g} s")
            said = repr(look.body[:SHOWN_BYTES]) if look.body else "nothing"
            self._row(f"without news, within {self._idle_s:g} s: {said}")
        elif answered:
            self._row(f"without news: {answered}, {look.body[:SHOWN_BYTES]!r}")
        else:
            self._row(f"without news: the request is kept, for longer than {self._idle_s:g} s")

    def _wait(self) -> None:
        """Have a request there before something is published. What comes meanwhile was published before."""
        if not self._look.is_open:
            self._look.open()
            self._look.hear(SETTLE_S)

    def _message(self, number: int) -> bool:
        self._wait()
        posted = self._control.post(CONTENT, self._post_s)
        seen = next((each for each in self._heard() if each.trace.id == posted), None)
        if seen is None:
            likely = cause(self._pattern, self._target.run, self._look.first, {}) if number == 1 else LOST
            self._row(f"message {number} was taken and did not come within {self._limit_s:g} s: {self._look.first!r}")
            self._row(f"likely: {likely}")
            return False
        trace = seen.trace
        tracer = mint(self._target.run, trace.id, trace.due_ns, trace.published_ns)
        passed_ms = (seen.received_ns - trace.published_ns) / 1e6
        self._row(f"message {number} came after {passed_ms:.1f} ms, its token {place_of(tracer, seen.body)}")
        for name, value in fields_of(tracer, seen, is_event=self._pattern == "sse"):
            self._row(f"{name}: {value}", "  ")
        if number == 1 and self._pattern == "sse":
            self._browser(seen)
        return True

    def _heard(self) -> Iterator[Seen]:
        until_s = time.monotonic() + self._limit_s
        while (left_s := until_s - time.monotonic()) > 0:
            yield from self._look.hear(left_s)

    def _browser(self, seen: Seen) -> None:
        """Say whether EventSource would have got it: it only asks by GET, and sends no headers of anybody's own."""
        method, _, rest = self._look.asked.partition(b" ")
        named = [line.partition(b":")[0].decode("latin-1") for line in rest.split(b"\r\n")[1:] if line]
        own = [name for name in named if name.lower() not in OF_BROWSERS]
        if method != b"GET" or own:
            what = f"sends no {' and no '.join(own)}" if own else f"does not ask by {method.decode()}"
            self._row(f"a browser's EventSource does not get it: it {what}")
            return
        gets = f"only with addEventListener({seen.name!r})" if seen.name not in {"", "message"} else "with onmessage"
        self._row(f"a browser's EventSource gets it {gets}")

    def _cut(self) -> None:
        """Break off, publish, ask again."""
        self._look.close()
        missed = self._control.post(CONTENT, self._post_s)
        self._look.open()
        self._row(f"after a cut asks {_asked(self._look.asked)}")
        ids = [each.trace.id for each in self._look.hear(SETTLE_S)]  # a WebSocket may have to talk first
        later = self._control.post(CONTENT, self._post_s)
        for each in self._heard():
            ids.append(each.trace.id)
            if {missed, later} & set(ids):
                break
        again = len(ids) - len({missed, later} & set(ids))
        self._row(
            ("resumes: messages published while it was away came" if missed in ids else "")
            or "does not resume: messages published while it was away are lost"
        )
        if again:
            self._row(f"before that, {again} messages that it had were sent again")


def _asked(request: bytes) -> str:
    """Return a request as a line, with the headers that our own clients do not all send."""
    line, *headers = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    told = [each for each in headers if each.partition(":")[0].lower() not in EVERYBODYS]
    return ", ".join([line.removesuffix(" HTTP/1.1"), *told])
