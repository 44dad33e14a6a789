"""Listens for HTTP/2 on a given socket and serves an aiohttp Application there."""

import asyncio
import socket
import ssl
from collections.abc import Callable

from aiohttp import web

from servers.http2.bridge import Bridge
from servers.http2.connection import LAST_WORDS_S, Connection
from servers.http2.limits import DEFAULT_LIMITS, Limits
from servers.web.unread import Unread


class H2Server:
    """A listening server. `connections` holds those that are open; `port` is the one that is listened on."""

    def __init__(self, listener: asyncio.Server, connections: set[Connection], limits: Limits) -> None:
        self._listener = listener
        self._limits = limits
        self.connections = connections
        self.port: int = listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop accepting, tell every client (GOAWAY), let open streams end for up to `drain_s`, then cut them."""
        self._listener.close()
        for connection in list(self.connections):
            connection.drain()
        await self._closed_within(self._limits.drain_s)
        for connection in list(self.connections):
            connection.cancel_streams()
        await self._closed_within(2 * LAST_WORDS_S)

    async def _closed_within(self, most_s: float) -> None:
        if self.connections:
            await asyncio.wait([connection.closed for connection in self.connections], timeout=most_s)


async def serve_h2(
    app: web.Application,
    sock: socket.socket,
    *,
    ssl_context: ssl.SSLContext | None = None,
    limits: Limits = DEFAULT_LIMITS,
    watch: Callable[[asyncio.Protocol], asyncio.Protocol] = lambda protocol: protocol,
    unread: Unread | None = None,
) -> H2Server:
    """Serve `app` on a bound socket: h2c with prior knowledge, or with `ssl_context` TLS where ALPN chose h2.

    The application must have been set up already (`web.AppRunner(app).setup()`), because it is usually the one that
    HTTP/1.1 serves too. watch: called with each connection's protocol; what it returns takes its place. unread: hears
    of connections whose clients are behind, and may cut them.
    """
    if ssl_context is not None:
        ssl_context.minimum_version = max(ssl_context.minimum_version, ssl.TLSVersion.TLSv1_2)  # RFC 9113 9.2
        ssl_context.set_alpn_protocols(["h2"])
    connections: set[Connection] = set()
    bridge = Bridge(app)
    listener = await asyncio.get_running_loop().create_server(
        lambda: watch(Connection(bridge.serve, limits, connections, unread or Unread(0))),
        sock=sock,
        ssl=ssl_context,
        ssl_handshake_timeout=(limits.head_timeout_s or None) if ssl_context else None,
    )
    return H2Server(listener, connections, limits)
