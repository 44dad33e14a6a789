"""PURE. The tracer: what marks our message in anybody's payload, and brings its instants along.

    pbRUN.ID.DUE_NS.LATENESS_NS.z

Letters, digits and dots only, so that it survives JSON, JSON in JSON, XML, HTML and URL escaping untouched; the `z`
says that its last number is whole. RUN tells this run's messages from what an earlier one left in the same channel. A
client scans the bytes it got: whatever envelope a server puts around a message, nobody has to parse it.
"""

import re
from typing import Final, NamedTuple

RUN_CHARACTERS: Final = "0123456789abcdef"
_LARGEST: Final = 2**63 - 1
_FORM: Final = re.compile(rb"pb([0-9a-f]{4,32})\.([0-9]{1,19})\.([0-9]{1,19})\.([0-9]{1,19})\.z")
LONGEST_BYTES: Final = 2 + 32 + 3 * 20 + 2


class Trace(NamedTuple):
    """One tracer that was found. `end`: offset of the first byte behind it."""

    id: int
    due_ns: int
    published_ns: int
    end: int


def mint(run: str, number: int, due_ns: int, published_ns: int) -> str:
    """Return the tracer of message `number`, counted from 1. run: 4 to 32 hexadecimal digits in lower case."""
    return f"pb{run}.{number}.{due_ns}.{max(0, published_ns - due_ns)}.z"


class Scanner:
    """Finds this run's tracers.

    foreign: how many of other runs there were; damaged: how many began and did not end well.
    """

    def __init__(self, run: str) -> None:
        self._run = run.encode()
        self._here = b"pb" + self._run + b"."
        self.foreign = 0
        self.damaged = 0

    def scan(self, data: bytes) -> list[Trace]:
        """Return the whole tracers in these bytes, in order; each only once, however often the payload repeats it."""
        if b"pb" not in data:
            return []
        found: dict[int, Trace] = {}
        before = self.damaged
        for match in _FORM.finditer(data):
            run, number, due_ns, late_ns = match.groups()
            if run != self._run:
                self.foreign += 1
                continue
            due, published = int(due_ns), int(due_ns) + int(late_ns)
            if published > _LARGEST:
                self.damaged += 1
                continue
            found.setdefault(int(number), Trace(int(number), due, published, match.end()))
        if not found and self.damaged == before and self._here in data:
            self.damaged += 1
        return list(found.values())


def is_in(data: bytes | bytearray, start: int = 0) -> bool:
    """Say whether a whole tracer of any run is in these bytes, from `start` on."""
    return _FORM.search(data, start) is not None
