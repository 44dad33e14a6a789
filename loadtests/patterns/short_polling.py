"""PURE. Short polling: ask again and again, whether or not there is something to say."""

from typing import Final

from loadtests.protocols.asking import Ask
from loadtests.protocols.polls import Polls

HELD: Final = False


def follow(ask: Ask) -> Polls:
    return Polls(ask)
