"""The ways into a foreign server: an HTTP request a message, a line to a program's input, a WebSocket frame."""

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import aiohttp
from yarl import URL

from servers.outlet.client import Http, Refused, Socket, reason
from servers.targets.adapter import Publish
from servers.targets.client import SHOWN_BYTES, Client, shown
from servers.targets.reading import parse_expect


class Way(Protocol):
    """How one message gets in. `send` returns when the server took it, and raises Refused when it did not."""

    async def open(self) -> None:
        """Make ready. Raises Refused."""

    async def send(self, message: Mapping[str, str]) -> None: ...

    async def close(self) -> None: ...


def way_of(client: Client, base: URL) -> Way:
    """client: the publisher's, of the adapter's table [publish]."""
    publish = client.adapter.publish
    if publish.pipe:
        return Pipe(publish, client)
    http = Http(client, base)
    return Frames(publish, client, http) if publish.websocket else Requests(publish, client, http)


class Requests:
    """A request a message, on connections that are kept alive."""

    def __init__(self, publish: Publish, client: Client, http: Http) -> None:
        self._publish = publish
        self._client = client
        self._http = http
        self._expected = parse_expect(publish.expect)

    async def open(self) -> None:
        await self._http.open()

    async def send(self, message: Mapping[str, str]) -> None:
        request = self._client.publish(message)
        answer = await self._http.ask(request, self._publish.timeout_s)
        if not self._expected(*answer):
            raise Refused(f"{request.method}: {shown(*answer)}")

    async def close(self) -> None:
        await self._http.close()


class Frames:
    """A WebSocket frame a message. Taken means sent: most servers do not answer one."""

    def __init__(self, publish: Publish, client: Client, http: Http) -> None:
        self._publish = publish
        self._client = client
        self._http = http
        self._socket: Socket | None = None
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._http.open()
        asked = self._client.request(self._publish.websocket, self._publish.headers)
        try:
            socket = self._socket = await self._http.websocket(asked)
        except (aiohttp.ClientError, OSError) as wrong:
            raise Refused(f"WebSocket {asked.path}: {reason(wrong)}") from None
        await self._say(socket, self._client.opened())
        while not self._client.is_greeted:
            try:
                heard = await socket.receive(timeout=self._publish.timeout_s)
            except TimeoutError:
                raise Refused(f"connect: nothing came within {self._publish.timeout_s:g} s") from None
            if (data := text_of(heard)) is None:
                raise Refused(f"connect: the server closed it (code {socket.close_code})")
            await self._say(socket, self._client.answer(data))
        self._listening = asyncio.create_task(self._answer(socket))

    async def send(self, message: Mapping[str, str]) -> None:
        socket = self._socket
        if socket is None or socket.closed:
            code = socket.close_code if socket is not None else None
            raise Refused(f"WebSocket {self._publish.websocket}: the server closed it (code {code})")
        try:
            await socket.send_str(self._client.line(message))
        except (aiohttp.ClientError, OSError) as wrong:
            raise Refused(f"WebSocket {self._publish.websocket}: {reason(wrong)}") from None

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        if self._socket is not None:
            await self._socket.close()
        await self._http.close()

    async def _answer(self, socket: Socket) -> None:
        """Read what comes, so that the server is never blocked by us, and reply to what wants a reply."""
        async for heard in socket:
            if (data := text_of(heard)) is not None:
                await self._say(socket, self._client.answer(data))

    async def _say(self, socket: Socket, texts: Sequence[str]) -> None:
        for text in texts:
            await socket.send_str(text)


class Pipe:
    """A line to the standard input of a program that lives as long as the run. Taken means written."""

    def __init__(self, publish: Publish, client: Client) -> None:
        self._publish = publish
        self._client = client
        self._program: asyncio.subprocess.Process | None = None
        self._said = b""
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        words = shlex.split(self._client.fill(self._publish.pipe))
        try:
            self._program = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as wrong:
            raise Refused(f"publish.pipe {words[0]!r} cannot be started: {wrong.strerror}") from None
        self._reading = asyncio.create_task(self._read(self._program))

    async def send(self, message: Mapping[str, str]) -> None:
        program = self._program
        if program is None or program.stdin is None or program.returncode is not None:
            code = program.returncode if program is not None else None
            raise Refused(f"publish.pipe ended with exit code {code}; it said: {self._said[-SHOWN_BYTES:]!r}")
        try:
            program.stdin.write(self._client.line(message).replace("\n", " ").encode() + b"\n")
            await program.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise Refused(f"publish.pipe reads no more; its output: {self._said[-SHOWN_BYTES:]!r}") from None

    async def close(self) -> None:
        program = self._program
        if program is None:
            return
        if program.stdin is not None:
            program.stdin.close()
        try:
            async with asyncio.timeout(2):
                await program.wait()
        except TimeoutError:
            program.kill()
            await program.wait()
        if self._reading is not None:
            await self._reading

    async def _read(self, program: asyncio.subprocess.Process) -> None:
        """Keep the last words of what it says, so that a full pipe never stops it."""
        assert program.stdout is not None
        while data := await program.stdout.read(65_536):
            self._said = (self._said + data)[-4096:]


def text_of(heard: Any) -> bytes | None:
    """Return the bytes of a text or binary message that aiohttp gave, None for any other."""
    if heard.type is aiohttp.WSMsgType.TEXT:
        return str(heard.data).encode()
    return bytes(heard.data) if heard.type is aiohttp.WSMsgType.BINARY else None
