"""PURE. How a client of each pattern asks, and reads what comes: the file name is the registration.

Users, probes and tests all follow a pattern by what stands here. A file holds `follow(ask)`: a decoder whose first
output asks, and that makes events of the bytes that come. It is a class of the file's own, or one of
loadtests/protocols. Of polls it also says HELD, whether the server keeps a request until there is something to say.
A server that is not ours is followed by the same method, whatever its adapter is (loadtests/foreign/client.py).
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from loadtests.protocols.asking import Ask
from loadtests.protocols.events import StreamDecoder


class Pattern(Protocol):
    """What a pattern file holds."""

    def follow(self, ask: Ask) -> StreamDecoder: ...


def names() -> list[str]:
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def load(name: str) -> Pattern:
    return cast(Pattern, import_module(f"{__name__}.{name}"))


def held(name: str) -> bool | None:
    """Whether requests of a pattern's clients are held; None for streams, which ask once."""
    return getattr(load(name), "HELD", None)
