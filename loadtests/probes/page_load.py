"""Loads a page and its assets over HTTP/2, cleartext, as a browser would that still accepts pushes.

It asks for an asset as soon as anything names it: a hint (103), a `Link` header of the page, or the page itself; never
for what was pushed or what it has from an earlier load of the same connection.
"""

import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    PushedStreamReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
)
from h2.exceptions import StreamClosedError

from loadtests.protocols.events import ProtocolError
from servers.timing.clock import now_ns
from servers.web.urls import authority

HANG_S: Final = 20.0
LINK: Final = re.compile(r"<([^>]+)>; rel=preload")
ASSET: Final = re.compile(rb'(?:href|src)="(/[^"]+)"')


@dataclass(slots=True)
class PageLoad:
    """One page load. complete_ns: from the request for the page until everything was there.

    received_bytes: everything the server sent, frames and all, until then. unwanted: pushes of what was there already.
    """

    complete_ns: int = 0
    requests: int = 0
    pushes: int = 0
    hinted: int = 0
    unwanted: int = 0
    received_bytes: int = 0
    mode: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)

    @property
    def complete_ms(self) -> float:
        return self.complete_ns / 1e6


class PageClient:
    """One connection; what an earlier load brought it keeps, as a browser's cache does. Raises OSError."""

    def __init__(self, host: str, port: int) -> None:
        self._authority = authority(host, port)
        self._socket = socket.create_connection((host, port), HANG_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._cache: set[str] = set()
        self._h2.initiate_connection()
        self._flush()
        # Both sides have spoken before the clock starts: setting a connection up costs every way of loading the same.
        while not any(isinstance(event, RemoteSettingsChanged) for event in self._events(PageLoad())):
            pass

    def load(self, path: str) -> PageLoad:
        """PageLoad a page and its assets. Raises OSError, ProtocolError."""
        load, paths = PageLoad(), dict[int, str]()
        started_ns = now_ns()
        page = self._ask(path, load, paths)
        while paths:
            for event in self._events(load):
                if isinstance(event, InformationalResponseReceived | ResponseReceived):
                    self._told(event, event.stream_id == page, load, paths)
                elif isinstance(event, PushedStreamReceived):
                    self._pushed(event, load, paths)
                elif isinstance(event, DataReceived):
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    if event.stream_id in paths:
                        load.bodies[paths[event.stream_id]] = load.bodies.get(paths[event.stream_id], b"") + event.data
                elif isinstance(event, StreamEnded) and event.stream_id in paths:
                    del paths[event.stream_id]
                    if event.stream_id == page:
                        for asset in ASSET.findall(load.bodies[path]):
                            self._want(asset.decode("ascii"), load, paths)
            self._flush()
        load.complete_ns = now_ns() - started_ns
        self._cache |= load.bodies.keys() - {path}
        return load

    def _told(
        self,
        event: InformationalResponseReceived | ResponseReceived,
        of_page: bool,
        load: PageLoad,
        paths: dict[int, str],
    ) -> None:
        """Take what the head of a response says of assets. Raises ProtocolError for an answer that is none."""
        headers = texts(event.headers)
        if not of_page:
            if headers[":status"] != "200":
                raise ProtocolError(f"an asset was answered {headers[':status']}")
            return
        for asset in LINK.findall(headers.get("link", "")):
            load.hinted += isinstance(event, InformationalResponseReceived)
            self._want(asset, load, paths)
        load.mode = headers.get("x-page-mode", load.mode)

    def _pushed(self, event: PushedStreamReceived, load: PageLoad, paths: dict[int, str]) -> None:
        path, stream_id = texts(event.headers)[":path"], event.pushed_stream_id
        assert stream_id is not None
        load.pushes += 1
        if path in self._cache:
            load.unwanted += 1
            with suppress(StreamClosedError):  # it is here already, in the same read
                self._h2.reset_stream(stream_id, ErrorCodes.CANCEL)
        else:
            paths[stream_id] = path

    def _want(self, path: str, load: PageLoad, paths: dict[int, str]) -> None:
        if path not in self._cache | load.bodies.keys() | set(paths.values()):
            self._ask(path, load, paths)

    def _ask(self, path: str, load: PageLoad, paths: dict[int, str]) -> int:
        stream_id = self._h2.get_next_available_stream_id()
        fields = [(":method", "GET"), (":scheme", "http"), (":authority", self._authority), (":path", path)]
        self._h2.send_headers(stream_id, fields, end_stream=True)
        self._flush()
        load.requests += 1
        paths[stream_id] = path
        return stream_id

    def _events(self, load: PageLoad) -> list[Event]:
        data = self._socket.recv(65_536)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        load.received_bytes += len(data)
        return self._h2.receive_data(data)

    def _flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def texts(headers: Iterable[tuple[str | bytes, str | bytes]] | None) -> dict[str, str]:
    """Return fields by name, values of the same name joined (RFC 9110 section 5.3)."""
    joined: dict[str, str] = {}
    for name, value in headers or ():
        joined[str(name)] = f"{joined[str(name)]}, {value!s}" if str(name) in joined else str(value)
    return joined
