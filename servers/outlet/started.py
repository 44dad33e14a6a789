"""A foreign server: started by its command, or met where it is."""

import asyncio
import os
import shlex
import signal
from contextlib import suppress
from typing import Final

from yarl import URL

from servers.outlet.client import Refused
from servers.targets.adapter import Adapter
from servers.targets.template import Template
from servers.targets.url import base_url
from servers.targets.variables import Variables
from servers.web.free_port import free_port

ASK_EACH_S: Final = 0.05
STOP_S: Final = 5.0
MEET_S: Final = 5.0


class Started:
    """The server of an adapter, from `ready` to `stop`. One that runs already is only met."""

    def __init__(self, adapter: Adapter, url: str) -> None:
        self._adapter = adapter
        self._url = url or adapter.url
        self._program: asyncio.subprocess.Process | None = None

    async def ready(self) -> URL:
        """Start it if it has a command; return its URL once it accepts connections. Raises ValueError and Refused."""
        adapter, known = self._adapter, Variables({"port": str(free_port())})
        base = URL(str(base_url(Template(self._url or "http://127.0.0.1:{{port}}").fill(known))), encoded=True)
        if adapter.command:
            words = shlex.split(Template(adapter.command).fill(known))
            try:
                self._program = await asyncio.create_subprocess_exec(*words, stdout=2, start_new_session=True)
            except OSError as wrong:
                raise Refused(f"command {words[0]!r} cannot be started: {wrong.strerror}") from None
        await self._accepts(base)
        return base

    @property
    def pid(self) -> int | None:
        """The process that we started, None for a server that was there."""
        return self._program.pid if self._program is not None else None

    async def stop(self) -> None:
        program = self._program
        if program is None or program.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await program.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)
            await program.wait()

    async def _accepts(self, base: URL) -> None:
        """Return once it accepts connections: one that we started soon, one that runs already at once."""
        patience_s = self._adapter.ready_s if self._program is not None else MEET_S
        problem = f"it does not answer within {patience_s:g} s"
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while not await connects(base):
                    if self._program is None:
                        problem = "no server listens there"
                        break
                    if self._program.returncode is not None:
                        problem = f"the command ended with exit code {self._program.returncode}"
                        break
                    await asyncio.sleep(ASK_EACH_S)
                else:
                    return
        raise Refused(f"{base} cannot be reached: {problem}; is the server running there?")


async def connects(base: URL) -> bool:
    try:
        _, writer = await asyncio.open_connection(base.host, base.port)
    except OSError:
        return False
    writer.close()
    return True
