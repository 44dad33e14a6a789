"""PURE. Long polling: the server holds the request until there is something to say; then ask again at once."""

from typing import Final

from loadtests.protocols.asking import Ask
from loadtests.protocols.polls import Polls

HELD: Final = True


def follow(ask: Ask) -> Polls:
    return Polls(ask, f"timeout={ask.hold_s:g}&{'limit=1&' if ask.one_per_response else ''}")
