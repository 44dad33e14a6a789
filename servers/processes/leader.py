"""The first of several processes: it publishes and decides, tells the others, and adds up what they say.

Without others it is what a server is that has one process.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from servers.app import Service
from servers.feed.journal import Write
from servers.feed.schedule import parse_schedule
from servers.processes import ProcessLostError
from servers.processes.link import Link
from servers.processes.place import Place
from servers.processes.split import End
from servers.web.certificate import Certificate
from servers.web.errors import UnavailableError

START_S: Final = 30.0
END_S: Final = 10.0
"""Longer than a server takes to drain."""
LOOK_S: Final = 0.01
ADDED_UP: Final = ("subscribers", "held", "streams", "tasks", "unread")


class Leader:
    """others: the ends to them. failed: called with what makes it impossible to go on. unread_bytes: see Link."""

    def __init__(self, others: Sequence[End], failed: Callable[[BaseException], None], unread_bytes: int) -> None:
        self._failed = failed
        self._others = others
        self._codes: dict[int, int] = {}
        self._service: Service | None = None
        self._started = False
        self._links = [Link(end.sock, self._answer, partial(self._lost, end), unread_bytes) for end in others]

    def keeping(self, write: Write | None) -> Callable[[bytes], object] | None:
        """Return what gets each message, a line, as a feed's `keep`: it is written, if it is to be, and passed on."""
        if not self._links:
            return write

        def keep(line: bytes) -> None:
            if write is not None:
                write(line)
            for link in self._links:
                link.message(line)

        return keep

    async def start(self, service: Service, files: Certificate | None) -> None:
        """Have the others serve beside us, with all that is kept. Raises ProcessLostError."""
        self._service = service
        for link in self._links:
            for body in service.feed.after(0).bodies:
                link.message(body + b"\n")
        place = Place(service.http_port or 0, service.http2_port, service.https_port, files)
        serving = (link.ask("serve", *place, within_s=START_S) for link in self._links)
        try:
            await asyncio.gather(*serving)
        except UnavailableError as problem:
            raise ProcessLostError(str(problem)) from None
        self._started = True

    async def counts(self, *, tasks: bool) -> list[Mapping[str, Any]]:
        """Return what each of the others has of what is added up. Raises UnavailableError."""
        return [*await asyncio.gather(*(link.ask("counts", tasks) for link in self._links))]

    def dismiss(self) -> None:
        """Tell the others to end."""
        for link in self._links:
            link.close()

    async def stop(self) -> None:
        """Return when the others have ended. Raises ProcessLostError that names those that did so out of order."""
        self.dismiss()
        deadline = time.monotonic() + END_S
        while any(self._code(end) is None for end in self._others):
            if time.monotonic() > deadline:
                for end in self._others:
                    self._kill(end)
            await asyncio.sleep(LOOK_S)
        if wrong := [_ended(end, code) for end in self._others if (code := self._codes[end.pid])]:
            raise ProcessLostError("; ".join(wrong))

    async def _answer(self, what: str, about: list[Any]) -> object:
        service = self._service
        assert service is not None  # nobody asks before it has been told to serve
        if what == "publish":
            return await service.publish(*about)
        if what == "reschedule":
            schedule, message_bytes = about
            return await service.reschedule(parse_schedule(schedule) if schedule else None, message_bytes)
        if what == "state":
            return await service.state(tasks=about[0])
        return None  # "here?": the answer comes behind all that has been published

    def _lost(self, end: End) -> None:
        """Say how it ended. One that is there still has read nothing for too long, and is of no use."""
        self._kill(end)
        code = self._codes[end.pid] = os.waitstatus_to_exitcode(os.waitpid(end.pid, 0)[1])
        if self._started:
            self._failed(ProcessLostError(_ended(end, code)))

    def _code(self, end: End) -> int | None:
        """Return its exit code, None while it runs."""
        if end.pid not in self._codes:
            pid, status = os.waitpid(end.pid, os.WNOHANG)
            if pid:
                self._codes[pid] = os.waitstatus_to_exitcode(status)
        return self._codes.get(end.pid)

    def _kill(self, end: End) -> None:
        if end.pid not in self._codes:
            with suppress(ProcessLookupError):
                os.kill(end.pid, signal.SIGKILL)


def _ended(end: End, code: int) -> str:
    how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
    return f"server process {end.number} (pid {end.pid}) ended with {how}"


@dataclass(slots=True)
class LeadingService(Service):
    """Says of all processes together who is waiting, whichever of them is asked."""

    leader: Leader | None = None

    async def state(self, *, tasks: bool) -> dict[str, object]:
        own: Mapping[str, Any] = await Service.state(self, tasks=tasks)
        others = await self.leader.counts(tasks=tasks) if self.leader else []
        return {**own} | {name: _sum([each[name] for each in (own, *others)]) for name in ADDED_UP if name in own}


def _sum(counts: Sequence[Any]) -> object:
    """Add numbers up, or what stands under the same names."""
    if isinstance(counts[0], Mapping):
        return {name: _sum([each[name] for each in counts]) for name in counts[0]}
    return sum(counts)
