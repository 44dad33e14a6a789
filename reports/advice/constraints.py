"""PURE. What rules a pattern out whatever it costs: browsers, and proxies on the way."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from servers.patterns import facts, names
from servers.settings.units import parse_duration_ns

BUFFERING, NGINX = "buffering", "nginx"
NGINX_CUTS_S: Final = 60.0
"""proxy_read_timeout: silence from the server after which nginx gives a request up, unless told otherwise."""
STREAMS: Final = frozenset({"chunked", "sse"})
"""Responses that never end, over plain HTTP."""
HELD: Final = STREAMS | {"long_polling"}
"""Requests that occupy one of a browser's connections."""
KNOWN: Final = HELD | {"short_polling", "websocket", "http2_push"}
"""The protocols of which anything is said here."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is between server and clients. cut_s: silence after which a proxy gives up, 0 for none. hold_s: of long
    polls; heartbeat_s: longest silence of a stream, 0 for no heartbeats.
    """

    browser: bool = False
    tls: bool = False
    buffering: bool = False
    nginx: bool = False
    cut_s: float = 0.0
    hold_s: float = 30.0
    heartbeat_s: float = 15.0

    @property
    def proxy(self) -> bool:
        return self.buffering or self.nginx or self.cut_s > 0


def parse_proxy(text: str) -> tuple[bool, bool, float]:
    """Read "nginx", "buffering", "60s", or several with commas between, as buffering, nginx and when it cuts (s).

    Raises ValueError.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    cuts = [word for word in words if word not in (BUFFERING, NGINX)]
    try:
        cut_s = min((parse_duration_ns("--proxy", word) / 1e9 for word in cuts), default=0.0)
    except ValueError:
        raise ValueError(
            f"--proxy {text!r} is none of {BUFFERING} (it forwards only whole responses), {NGINX}, or a "
            "duration such as 60s (the silence after which it closes a connection)"
        ) from None
    return BUFFERING in words, NGINX in words, cut_s or (NGINX_CUTS_S if NGINX in words else 0.0)


def spoken_by(pattern: str) -> str:
    """Return the protocol of a pattern, which is what browsers and proxies see of it."""
    return facts(pattern).protocol if pattern in names() else pattern


def ruled_out(pattern: str, around: Surroundings) -> Iterator[str]:
    """Say why a pattern cannot be used there."""
    pattern = spoken_by(pattern)
    if pattern == "http2_push" and around.browser:
        yield "no browser accepts pushes (Chrome since 106, Firefox since 132)"
    if pattern == "http2_push" and around.proxy:
        yield "proxies do not forward pushes"
    if pattern in STREAMS and around.buffering:
        yield "the proxy forwards only whole responses, and a stream never ends"
    if pattern == "long_polling" and 0 < around.cut_s <= around.hold_s:
        yield f"the proxy closes after {around.cut_s:g} s, and polls are held for {around.hold_s:g} s: shorten the hold"
    silent = around.heartbeat_s or float("inf")
    if pattern not in ("short_polling", "long_polling") and 0 < around.cut_s <= silent:
        every = f"come every {around.heartbeat_s:g} s" if around.heartbeat_s else "are off"
        yield f"the proxy closes after {around.cut_s:g} s of silence, and heartbeats {every}: send them more often"


def conditions(pattern: str, around: Surroundings) -> Iterator[str]:
    """Say what a pattern that can be used there needs."""
    pattern = spoken_by(pattern)
    if pattern not in KNOWN and (around.browser or around.proxy):
        yield "nothing is known of what browsers and proxies do to its protocol"
    if pattern in HELD and around.browser and not around.tls:
        yield "a browser opens six connections per host: a seventh tab waits, unless it uses HTTP/2, which needs TLS"
    if pattern in STREAMS and around.nginx:
        yield "nginx buffers unless the response has X-Accel-Buffering: no, as these servers send"
    if pattern == "websocket" and around.proxy:
        yield "the proxy must forward the Upgrade"
