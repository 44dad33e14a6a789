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
from typing import Final

import msgspec

from loadtests.foreign.spec import Chosen, ForeignTarget
from loadtests.host.managed_process import Child, ChildFailed
from loadtests.probes.foreign_look import Look, Seen, place_of
from loadtests.protocols.events import ProtocolError
from loadtests.runs import announcements
from loadtests.runs.commands import ADAPTER_FILE, HOST, OURS
from loadtests.runs.foreign.roll_call import cause
from loadtests.runs.target import Target, WrongServer
from servers.outlet.message import hidden, secrets_of
from servers.targets.tracer import mint

MESSAGES: Final = 3
SETTLE_S: Final = 0.25
"""From asking to the first message, as in a cell."""
IDLE_S: Final = 1.0
BEYOND_S: Final = 5.0
"""What publishes says by then that it had no answer in time."""
CONTENT: Final = "x" * 120
FAULTS: Final = (OSError, ProtocolError, WrongServer)


LOST: Final = "others came: it was lost between two answers or connections, so let `remember` say where to go on"


class CheckFailed(Exception):
    """The server cannot be measured so; the message says what was seen and what is likely."""


def check(chosen: Chosen, say: Callable[[str], None]) -> bool:
    """Say what was seen, a line at a time; return whether every pattern heard all. Raises CheckFailed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pollbench-check-")))
        run = secrets.token_hex(8)
        (folder / ADAPTER_FILE).write_bytes(msgspec.json.encode(chosen.adapter))
        try:
            outlet = stack.enter_context(
                Child("outlet", OURS.outlet_command_of(chosen.url, run, folder), folder / "outlet.log")
            )
            within_s = chosen.adapter.ready_s + OURS.ready_s
            said = outlet.answered(announcements.ready, within_s, lambda: None)
        except ChildFailed as problem:
            raise CheckFailed(str(problem).partition("error: ")[2] or str(problem)) from None
        control = Target(f"http://{HOST}:{said.http_port}", run)
        if control.foreign is None:
            raise CheckFailed("the outlet does not say whom to follow")
        say(f"server      {said.target}")
        hide = secrets_of(chosen.adapter)
        heard = [
            _Pattern(control.foreign, pattern, control, lambda line: say(hidden(line, hide))).look()
            for pattern in chosen.adapter.subscriptions()
        ]
        if not heard:
            raise CheckFailed("the adapter says nothing of subscribing: add a table such as [sse]")
        return all(heard)


class _Pattern:
    def __init__(self, target: ForeignTarget, pattern: str, control: Target, say: Callable[[str], None]) -> None:
        self._target, self._pattern, self._control = target, pattern, control
        self._say = say
        self._limit_s = target.adapter.roll_call_s
        self._post_s = target.adapter.publish.timeout_s + BEYOND_S
        self._look = Look(target, pattern)

    def look(self) -> bool:
        """Say all; return whether every message was heard."""
        try:
            self._wait()
            if self._pattern == "short_polling":
                self._idle()
            heard = [self._message(number) for number in range(1, MESSAGES + 1)]
            if all(heard):
                self._cut()
        except FAULTS as wrong:
            heard = [False]
            failed = {"refused": 1} if isinstance(wrong, ConnectionRefusedError) else {"protocol": 1}
            self._row(f"{wrong}; likely: {cause(self._pattern, self._target.run, self._look.first, failed)}")
        finally:
            self._look.close()
        return all(heard)

    def _row(self, text: str) -> None:
        self._say(f"{self._pattern:16}{' '.join(text.split())}")

    def _idle(self) -> None:
        self._look.hear(IDLE_S)
        self._row(f"without news: {self._look.status}, {self._look.headers.get('content-type', 'no Content-Type')}")

    def _wait(self) -> set[int]:
        """Be there before something is published; return what came meanwhile: a WebSocket may have to talk first."""
        if not self._look.is_open:
            self._look.open()
        return {each.trace.id for each in self._look.hear(SETTLE_S)}

    def _message(self, number: int) -> bool:
        self._wait()
        posted = self._control.post(CONTENT, self._post_s)
        seen = next((each for each in self._heard() if each.trace.id == posted), None)
        if number == 1:
            self._row(_request_line(self._look.asked))
            self._row(f"answered {self._look.status}, {self._look.headers.get('content-type', 'no Content-Type')}")
        if seen is None:
            likely = cause(self._pattern, self._target.run, self._look.first, {}) if number == 1 else LOST
            self._row(f"message {number} was taken and did not come within {self._limit_s:g} s: {self._look.first!r}")
            self._row(f"likely: {likely}")
            return False
        trace = seen.trace
        tracer = mint(self._target.run, trace.id, trace.due_ns, trace.published_ns)
        passed_ms = (seen.received_ns - trace.published_ns) / 1e6
        self._row(f"message {number} came after {passed_ms:.1f} ms, its token {place_of(tracer, seen.body)}")
        if number == 1:
            self._event(seen)
        return True

    def _heard(self) -> Iterator[Seen]:
        until_s = time.monotonic() + self._limit_s
        while (left_s := until_s - time.monotonic()) > 0:
            yield from self._look.hear(left_s)

    def _event(self, seen: Seen) -> None:
        if self._pattern != "sse":
            return
        self._row(f"event: {seen.name or 'message'}, id: {seen.id or 'none, so nothing to resume from'}")
        gets = f"only with addEventListener({seen.name!r})" if seen.name not in {"", "message"} else "with onmessage"
        self._row(f"a browser's EventSource gets it {gets}")

    def _cut(self) -> None:
        """Break off, publish, ask again."""
        self._look.close()
        missed = self._control.post(CONTENT, self._post_s)
        ids = self._wait()
        later = self._control.post(CONTENT, self._post_s)
        for each in self._heard():
            ids.add(each.trace.id)
            if ids & {missed, later}:
                break
        self._row(
            "resumes: what was published while it was away came"
            if missed in ids
            else "does not resume: what was published while it was away is lost"
        )


def _request_line(request: bytes) -> str:
    return request.partition(b"\r\n")[0].removesuffix(b" HTTP/1.1").decode("latin-1")
