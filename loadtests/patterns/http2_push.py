"""PURE. HTTP/2 server push: every update a pushed response, on one connection with one open request.

A delivery that came in the response itself is inline, so that it cannot pass for a push.
"""

from loadtests.protocols.asking import Ask
from loadtests.protocols.push_decoder import PushDecoder


def follow(ask: Ask) -> PushDecoder:
    scheme = "https" if ask.tls else "http"
    return PushDecoder(ask.netloc, ask.target, scheme=scheme, limit_bytes=ask.limit_bytes)
