"""PURE. URLs of targets: any scheme that a server may be reached by, in the one form in which they are used."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from servers.web.urls import BaseUrl, read_url

SCHEMES: Final[Mapping[str, str]] = {"https": "https", "http": "http", "wss": "https", "ws": "http"}
SECRETS: Final = 'use headers = { Authorization = "Bearer {{env.TOKEN}}" }'


@lru_cache(maxsize=1024)
def base_url(text: str) -> BaseUrl:
    """Read the URL below which an adapter's paths are, ws as http. Raises ValueError."""
    url = read_url(text, "--url", tuple(SCHEMES), path=True, instead=SECRETS)
    return replace(url, scheme=SCHEMES[url.scheme])


def server_and_path(text: str) -> tuple[BaseUrl, str]:
    """Read a URL that clients follow: the server, and path and query as they are typed. Raises ValueError."""
    scheme, sign, rest = text.partition("://")
    end = next((at for at, letter in enumerate(rest) if letter in "/?#"), len(rest))
    path, _, fragment = rest[end:].partition("#")
    if fragment:
        raise ValueError(f"--url {text[:200]!r} has a fragment (#), which no server ever sees: leave it out")
    if not path.isprintable() or " " in path:
        raise ValueError(f"--url {text[:200]!r} has a path with characters that belong in it as %XX")
    return base_url(f"{scheme}{sign}{rest[:end]}"), path if path.startswith("/") else f"/{path}"
