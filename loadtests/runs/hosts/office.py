"""Where load hosts ask: the roster over HTTP. Who has no token learns that there is a pollbench here, and no more.

One thread for each connection, as a host has two. Bodies are read up to their length and no further than may be.
"""

import hmac
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote

import msgspec

from loadtests.records.manifest import HostName
from loadtests.runs.hosts.messages import (
    Asking,
    FileName,
    HandedIn,
    HostRefused,
    Joining,
    Leaving,
    Refusal,
    Secret,
)
from loadtests.runs.hosts.pieces import take
from loadtests.runs.hosts.roster import Roster

MOST_BYTES: Final = 8 * 2**20
"""Of what a host says; a list of 10,000 files has 2 MB."""
SILENT_S: Final = 60.0
"""A connection on which nothing comes for so long is closed; a host opens another one."""

T = TypeVar("T")


class _PieceOf(msgspec.Struct, frozen=True, kw_only=True):
    attempt: Secret
    name: HostName
    file: FileName


class Office:
    """Answers until it is closed. failed: told what could not be written to our disk, and nothing can go on then."""

    def __init__(
        self, bind: str, port: int, token: str, roster: Roster, failed: Callable[[OSError], None] = lambda _: None
    ) -> None:
        """Raises OSError where it cannot listen."""
        self._expected, self._roster, self._failed = f"Bearer {token}".encode(), roster, failed
        office = self

        class _Answering(_Handler):
            def answer(self) -> None:
                office._answer(self)

        server = _Server if ":" not in bind else _Server6
        self._server = server((bind, port), _Answering)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: "_Handler") -> None:
        handler.unread = True
        try:
            if handler.command == "GET" and handler.path == "/":
                handler.reply(HTTPStatus.OK, b"pollbench\n")
            elif not hmac.compare_digest(handler.headers.get("Authorization", "").encode(), self._expected):
                handler.refuse(HTTPStatus.UNAUTHORIZED, "this is not the run's token")
            elif handler.command == "POST":
                handler.reply(HTTPStatus.OK, self._told(handler))
            elif handler.command == "PUT":
                self._take(handler)
                handler.reply(HTTPStatus.OK, b"")
            else:
                handler.refuse(HTTPStatus.NOT_FOUND, f"there is no {handler.path[:60]}")
        except HostRefused as refused:
            handler.refuse(HTTPStatus.CONFLICT, str(refused), for_good=refused.for_good)
        except (msgspec.MsgspecError, ValueError, RecursionError) as wrong:
            handler.refuse(HTTPStatus.BAD_REQUEST, f"this is not understood: {wrong}")
        except EOFError:
            handler.close_connection = True

    def _told(self, handler: "_Handler") -> bytes:
        roster = self._roster
        match handler.path:
            case "/join":
                roster.join(handler.said(Joining), handler.client_address[0])
            case "/orders":
                return msgspec.json.encode(roster.orders(handler.said(Asking)))
            case "/handed-in":
                roster.handed_in(handler.said(HandedIn))
            case "/leave":
                roster.leave(handler.said(Leaving))
            case _:
                raise HostRefused(f"there is no {handler.path[:60]}: is another version of pollbench there?")
        return b""

    def _take(self, handler: "_Handler") -> None:
        """Take a file of a host's: PUT /pieces/ATTEMPT/HOST/FILE. Raises HostRefused, EOFError."""
        what, _, path = handler.path.removeprefix("/").partition("/")
        if what != "pieces" or path.count("/") != 2:
            raise HostRefused(f"there is no {handler.path[:60]}")
        told = dict(zip(("attempt", "name", "file"), map(unquote, path.split("/")), strict=True))
        piece = msgspec.convert(told, _PieceOf)
        name, instance = piece.name, handler.headers.get("X-Instance", "")
        if not Path(piece.file).stem.endswith(f"@{name}"):
            raise HostRefused(f"{piece.file} is no file of {name}'s: its name must end with @{name}")
        folder = self._roster.piece(name, instance, piece.attempt)
        size_bytes = handler.length()
        try:
            digest = take(handler.rfile, size_bytes, folder, piece.file, lambda more: self._roster.moved(name, more))
        except (ConnectionError, TimeoutError):
            raise EOFError from None
        except OSError as problem:
            self._failed(problem)
            raise HostRefused(f"the run cannot write it: {problem.strerror}") from None
        self._roster.arrived(name, instance, piece.attempt, piece.file, size_bytes, digest)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_: Any) -> None:
        """A connection that breaks is the host's to tell, who asks again."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = SILENT_S
    disable_nagle_algorithm = True
    unread = True

    def answer(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.answer()

    do_POST = do_PUT = do_GET  # noqa: N815  (as http.server calls them)

    def length(self) -> int:
        return int(self.headers.get("Content-Length", ""))

    def said(self, kind: type[T]) -> T:
        size = self.length()
        if not 0 <= size <= MOST_BYTES:
            raise ValueError(f"{size} bytes")
        self.unread = False
        return msgspec.json.decode(self.rfile.read(size), type=kind)

    def refuse(self, status: HTTPStatus, why: str, *, for_good: bool = True) -> None:
        self.close_connection = True
        if self.unread and self.command == "POST":
            # Closed with bytes unread, a connection is reset, and the refusal may be lost with it.
            with suppress(ValueError):  # no length, so nothing that could be read
                self.rfile.read(min(max(self.length(), 0), MOST_BYTES))
        self.reply(status, msgspec.json.encode(Refusal(why=why, for_good=for_good)))

    def reply(self, status: HTTPStatus, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """That a host asks is no news."""
