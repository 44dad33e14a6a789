"""The ways into a foreign server: an HTTP request a message, a line to a program's input, a WebSocket frame."""

import asyncio
import re
import shlex
from collections.abc import Mapping
from typing import Any, Protocol

import aiohttp
from yarl import URL

from servers.outlet.client import SHOWN_BYTES, Client, Refused, Socket, reason, shown
from servers.outlet.message import Place
from servers.targets import template
from servers.targets.adapter import Adapter, Publish, Reply, Step
from servers.targets.reading import parse_expect, request_line
from servers.targets.rules import parse_rule


class Way(Protocol):
    """How one message gets in. `send` returns when the server took it, and raises Refused when it did not."""

    async def open(self) -> None:
        """Make ready. Raises Refused."""

    async def send(self, message: Mapping[str, str]) -> None: ...

    async def close(self) -> None: ...


def way_of(adapter: Adapter, base: URL, place: Place) -> Way:
    publish = adapter.publish
    if publish.pipe:
        return Pipe(publish, place)
    client = Client(adapter, base, place)
    return Frames(publish, client) if publish.websocket else Requests(publish, client)


class Requests:
    """A request a message, on connections that are kept alive."""

    def __init__(self, publish: Publish, client: Client) -> None:
        self._publish = publish
        self._client = client
        self._expected = parse_expect(publish.expect)
        self._body = publish.body or ("" if request_line(publish.request).body.text else "{{message}}")
        kind = publish.content_type or content_type_of(self._body or request_line(publish.request).body.text)
        self._headers = {"Content-Type": kind, **publish.headers}

    async def open(self) -> None:
        await self._client.open(self._publish.connect)

    async def send(self, message: Mapping[str, str]) -> None:
        answer = await self._client.request(
            self._publish.request, self._headers, self._body, self._publish.timeout_s, message
        )
        if not self._expected(*answer):
            raise Refused(f"{self._publish.request.partition(' ')[0]}: {shown(*answer)}")

    async def close(self) -> None:
        await self._client.close()


class Frames:
    """A WebSocket frame a message. Taken means sent: most servers do not answer one."""

    def __init__(self, publish: Publish, client: Client) -> None:
        self._publish = publish
        self._client = client
        self._socket: Socket | None = None
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._client.open(self._publish.connect)
        try:
            socket = self._socket = await self._client.websocket(self._publish.websocket)
        except (aiohttp.ClientError, OSError) as wrong:
            raise Refused(f"WebSocket {self._publish.websocket}: {reason(wrong)}") from None
        for step in self._publish.connect:
            await self._step(socket, step)
        self._listening = asyncio.create_task(self._answer(socket))

    async def send(self, message: Mapping[str, str]) -> None:
        socket = self._socket
        if socket is None or socket.closed:
            code = socket.close_code if socket is not None else None
            raise Refused(f"WebSocket {self._publish.websocket}: the server closed it (code {code})")
        try:
            await socket.send_str(self._client.fill(self._publish.send, message))
        except (aiohttp.ClientError, OSError) as wrong:
            raise Refused(f"WebSocket {self._publish.websocket}: {reason(wrong)}") from None

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
        if self._socket is not None:
            await self._socket.close()
        await self._client.close()

    async def _step(self, socket: Socket, step: Step) -> None:
        if step.send:
            await socket.send_str(self._client.fill(step.send, {}))
        if step.expect and not step.request:
            try:
                heard = await socket.receive(timeout=self._publish.timeout_s)
            except TimeoutError:
                raise Refused(f"connect: nothing came within {self._publish.timeout_s:g} s") from None
            data = text_of(heard)
            if data is None or parse_rule(step.expect)({}, data) is None:
                raise Refused(f"connect: {step.expect!r} is not what came: {(data or b'')[:SHOWN_BYTES]!r}")
            found = {key: parse_rule(rule)({}, data) for key, rule in step.remember.items()}
            self._client.learn({key: value for key, value in found.items() if value is not None})

    async def _answer(self, socket: Socket) -> None:
        """Read what comes, so that the server is never blocked by us, and reply to what wants a reply."""
        async for heard in socket:
            data = text_of(heard)
            for reply in self._publish.reply if data is not None else ():
                await self._reply(socket, reply, data or b"")

    async def _reply(self, socket: Socket, reply: Reply, data: bytes) -> None:
        found = parse_rule(reply.when)({}, data)
        if found is not None:
            await socket.send_str(self._client.fill(reply.send, {"found": found}))


class Pipe:
    """A line to the standard input of a program that lives as long as the run. Taken means written."""

    def __init__(self, publish: Publish, place: Place) -> None:
        self._publish = publish
        self._variables = place.variables("publisher")
        self._program: asyncio.subprocess.Process | None = None
        self._said = b""
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        words = shlex.split(template.read(self._publish.pipe).fill(self._variables))
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
        line = template.read(self._publish.line).fill(self._variables.with_values(message))
        try:
            program.stdin.write(line.replace("\n", " ").encode() + b"\n")
            await program.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise Refused(f"publish.pipe reads no more; it said: {self._said[-SHOWN_BYTES:]!r}") from None

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


def content_type_of(body: str) -> str:
    """Return what a body is that nobody says more of."""
    if body.startswith(("{", "[")) and not body.startswith("{{"):
        return "application/json"
    is_form = re.match(r"[\w.-]+=", body)
    return "application/x-www-form-urlencoded" if is_form else "text/plain; charset=utf-8"


def text_of(heard: Any) -> bytes | None:
    """Return the bytes of a text or binary message that aiohttp gave, None for any other."""
    if heard.type is aiohttp.WSMsgType.TEXT:
        return str(heard.data).encode()
    return bytes(heard.data) if heard.type is aiohttp.WSMsgType.BINARY else None
