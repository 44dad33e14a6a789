"""PURE. peers.json: which servers of others a series measures, in which versions, and which were not there."""

from typing import Final

import msgspec

RECORD: Final = "peers.json"
INSTALL: Final = "scripts/install-peers"


class Entrant(msgspec.Struct, frozen=True, kw_only=True):
    """One server. versions: of what it needs. patterns: by which it is followed. target, command: what a run is told of
    it, both "" for ours as a run knows it.
    """

    name: str
    title: str
    versions: dict[str, str]
    patterns: list[str]
    target: str = ""
    command: str = ""

    @property
    def version(self) -> str:
        """Return the versions of what the title names."""
        named = [word.strip().lower() for word in self.title.split(",")]
        return ", ".join(list(self.versions.values())[: len(named)])


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """peers.json of a series. absent: title -> what it lacks."""

    started_at: str
    servers: list[Entrant]
    absent: dict[str, list[str]]
