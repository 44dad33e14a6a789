"""The patterns: one file each, and the file name is the registration.

A pattern file holds `routes(feed, options)` and, as plain literals, what everybody else must know of it: LABEL (for
people) and PATH (its endpoint); HTTP2 = True where it needs the HTTP/2 listener; HEARS = True where its clients send
messages on the connection that they follow: `routes` then gets a third argument, a `Hear`; PROTOCOL where it speaks on
the wire as another pattern does, whose name that is: then a browser follows it with the other's client.
"""

import ast
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from aiohttp import web

    from servers.feed.feed import Feed
    from servers.settings.options import ServerOptions


Hear = Callable[[str, str], Awaitable[None]]
"""Publishes what the client at this address says, or raises BadFieldError or UnavailableError."""


class Pattern(Protocol):
    """What a pattern file holds beside its facts."""

    def routes(self, feed: "Feed", options: "ServerOptions", *hear: Hear) -> "list[web.RouteDef]": ...


@dataclass(frozen=True, slots=True)
class Facts:
    """What a pattern's file says of it. protocol: the pattern that speaks so on the wire, itself as a rule.

    hears: its clients send messages as well.
    """

    label: str
    path: str
    http2: bool
    protocol: str
    hears: bool


def names() -> list[str]:
    """Return the names of all patterns, sorted."""
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def load(name: str) -> Pattern:
    """Import a pattern. Raises ValueError naming the known ones."""
    return cast(Pattern, import_module(f"{__name__}.{known(name)}"))


@cache
def facts(name: str) -> Facts:
    """Read what a pattern's file says of it, without importing it: gevent must not meet aiohttp.

    Raises ValueError naming the known ones, or what the file lacks.
    """
    file = Path(__file__).with_name(f"{known(name)}.py")
    said = {
        target.id: node.value.value
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if missing := [each for each in ("LABEL", "PATH") if not isinstance(said.get(each), str)]:
        raise ValueError(f"{file.name} does not say {' and '.join(missing)}: give it as a literal on its own line")
    return Facts(
        str(said["LABEL"]),
        str(said["PATH"]),
        bool(said.get("HTTP2")),
        str(said.get("PROTOCOL", name)),
        bool(said.get("HEARS")),
    )


def known(name: str) -> str:
    if name not in names():
        raise ValueError(f"pattern {name!r} is none of: {', '.join(names())}")
    return name
