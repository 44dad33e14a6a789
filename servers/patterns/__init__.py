"""The patterns: one file each, and the file name is the registration.

A pattern file holds LABEL (for people), PATH (its endpoint), HTTP2 (whether it needs the HTTP/2 listener) and
`routes(feed, options)`.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from aiohttp import web

from servers.feed.feed import Feed
from servers.settings.options import ServerOptions


class Pattern(Protocol):
    """What a pattern file holds."""

    LABEL: str
    PATH: str
    HTTP2: bool

    def routes(self, feed: Feed, options: ServerOptions) -> list[web.RouteDef]: ...


def names() -> list[str]:
    """Return the names of all patterns, sorted."""
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def load(name: str) -> Pattern:
    """Return the pattern of that name. Raises ValueError naming the known ones."""
    if name not in names():
        raise ValueError(f"pattern {name!r} is none of: {', '.join(names())}")
    return cast(Pattern, import_module(f"{__name__}.{name}"))
