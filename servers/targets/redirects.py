"""PURE. Where a redirect leads, and what of a request may go there: credentials never leave their origin."""

from typing import Final
from urllib.parse import urljoin, urlsplit

from servers.targets.client import Request
from servers.targets.variables import Misunderstood
from servers.web.urls import PORTS

MOVED: Final = frozenset({301, 302, 303, 307, 308})
HARMLESS: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "cache-control",
        "content-type",
        "if-modified-since",
        "if-none-match",
        "last-event-id",
    }
)
"""The headers that go to another origin, too; any other may be there to say who asks."""


def is_redirect(status: int, location: str) -> bool:
    return status in MOVED and bool(location)


def redirected(request: Request, url: str, status: int, location: str) -> Request:
    """Return the request that follows a redirect, with a whole URL as its path.

    url: where `request` was sent. A POST becomes a GET where browsers make it one (RFC 9110 15.4). Raises Misunderstood
    for a place that HTTP does not lead to.
    """
    try:
        to = urljoin(url, location).partition("#")[0]
        is_elsewhere = origin_of(to) != origin_of(url)
    except ValueError:
        is_elsewhere, to = True, ""
    if not to.startswith(("http://", "https://")) or "@" in urlsplit(to).netloc:
        raise Misunderstood(f"it redirects to {location[:200]!r}, which is no http or https URL")
    headers = request.headers
    if is_elsewhere:
        headers = {name: value for name, value in headers.items() if name.lower() in HARMLESS}
    if status == 303 or (status in {301, 302} and request.method == "POST"):
        headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        return Request("GET", to, headers)
    return request._replace(path=to, headers=headers)


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port; ws and wss are http and https here. Raises ValueError for what is no URL."""
    parts = urlsplit(url)
    return parts.scheme.replace("ws", "http"), parts.hostname or "", parts.port or PORTS.get(parts.scheme)
