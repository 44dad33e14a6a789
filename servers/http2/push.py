"""Server push as a handler sees it: ask the request for its pusher, hand it whole responses (RFC 9113 8.4)."""

from collections.abc import Callable, Iterable

from aiohttp import web

from servers.http2.bridge import stream_of
from servers.http2.promise import PushedResponse
from servers.http2.stream import Stream

__all__ = ["PushedResponse", "Pusher", "client_settings", "early_hints", "pusher"]


class Pusher:
    """Pushes responses to the client of one request, for as long as that request's own response is open."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        fields = dict(stream.fields)
        authority = fields.get(b":authority") or fields.get(b"host", b"")
        self._request = ((b":method", b"GET"), (b":scheme", fields[b":scheme"]), (b":authority", authority))

    @property
    def enabled(self) -> bool:
        """Whether pushes are possible; a client may change its mind while connected, and either side may say GOAWAY."""
        return self._stream.sender.push_enabled

    def push(self, responses: Iterable[PushedResponse]) -> int:
        """Promise responses and send them, in order; return how many the client takes now. The rest was not promised.

        Keep the message, not the promise: nghttp2 clients silently cancel whatever is promised beyond 200 streams
        that are still waiting for their response.
        """
        return self._stream.push(self._request, responses)

    def on_room(self, callback: Callable[[], None]) -> None:
        """Call `callback` whenever a push that was turned down may be taken now."""
        self._stream.on_push_room = callback

    def end(self, reason: str) -> None:
        """End the request's own response, which has no content waiting, with `x-closed-reason` as a trailer.

        Trailers need no window, so the reason reaches a client too slow to read anything else (RFC 9113 5.2.1).
        """
        if self._stream.open:
            self._stream.send_head(((b"x-closed-reason", reason.encode("ascii")),), end=True)
            self._stream.sender.flush()


def pusher(request: web.Request) -> Pusher | None:
    """Return the push capability of a request; None on HTTP/1.1, and where the client has set ENABLE_PUSH to 0."""
    stream = stream_of(request)
    return Pusher(stream) if stream is not None and stream.sender.push_enabled else None


def early_hints(request: web.Request, links: Iterable[str]) -> bool:
    """Send a 103 with these `Link` values before the response (RFC 8297); return False on HTTP/1.1, where none goes.

    Browsers take hints over HTTP/2 and 3 alone, and aiohttp has no way to send one (its issue 7878).
    """
    stream = stream_of(request)
    if stream is None:
        return False
    stream.send_interim(((b":status", b"103"), *((b"link", link.encode("ascii")) for link in links)))
    return True


def client_settings(request: web.Request) -> dict[str, int] | None:
    """Return what the client's first SETTINGS frame said, by name; None on HTTP/1.1."""
    stream = stream_of(request)
    return None if stream is None else stream.sender.client_settings
