"""An ordinary aiohttp `web.Application` over HTTP/2: h2c with prior knowledge, TLS with ALPN, and server push."""

from servers.http2.limits import Limits
from servers.http2.push import PushedResponse, Pusher, client_settings, early_hints, pusher
from servers.http2.server import H2Server, serve_h2

__all__ = ["H2Server", "Limits", "PushedResponse", "Pusher", "client_settings", "early_hints", "pusher", "serve_h2"]
