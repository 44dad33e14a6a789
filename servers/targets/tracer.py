"""PURE. The tracer: what marks our message in anybody's payload, and brings its instants along.

    pbRUN.ID.DUE_NS.LATENESS_NS.z

Letters, digits and dots only, so that it survives JSON, JSON in JSON, XML, HTML and URL escaping untouched; the `z`
says that its last number is whole. RUN tells this run's messages from what an earlier one left in the same channel. A
client scans the bytes it got: whatever envelope a server puts around a message, nobody has to parse it.
"""

import re
from typing import Final, NamedTuple

_LARGEST: Final = 2**63 - 1
_NUMBERS: Final = rb"\.([0-9]{1,19})\.([0-9]{1,19})\.([0-9]{1,19})\.z"
_FORM: Final = re.compile(rb"pb[0-9a-f]{4,32}" + _NUMBERS)
LONGEST_BYTES: Final = 2 + 32 + 3 * 20 + 2


class Trace(NamedTuple):
    """One tracer that was found."""

    id: int
    due_ns: int
    published_ns: int


def mint(run: str, number: int, due_ns: int, published_ns: int) -> str:
    """Return the tracer of message `number`, counted from 1. run: 4 to 32 hexadecimal digits in lower case."""
    return f"pb{run}.{number}.{due_ns}.{max(0, published_ns - due_ns)}.z"


class Scanner:
    """Finds the whole tracers of one run: those of other runs, and what is left of one that was cut, are none."""

    def __init__(self, run: str) -> None:
        self._all = re.compile(rb"pb%b%b" % (run.encode(), _NUMBERS)).finditer
        self._last = b""
        self._found: list[Trace] = []

    def scan(self, data: bytes) -> list[Trace]:
        """Return the whole tracers in these bytes, in order; each only once, however often the payload repeats it."""
        if data != self._last:  # what is told to everybody comes many times
            found: dict[int, Trace] = {}
            for match in self._all(data):
                number, due_ns, late_ns = map(int, match.groups())
                if due_ns + late_ns <= _LARGEST:
                    found.setdefault(number, Trace(number, due_ns, due_ns + late_ns))
            self._last, self._found = data, list(found.values())
        return self._found


def is_in(data: bytes | bytearray, start: int = 0) -> bool:
    """Say whether a whole tracer of any run is in these bytes, from `start` on."""
    return _FORM.search(data, start) is not None
