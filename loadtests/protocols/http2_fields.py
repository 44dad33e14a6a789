"""PURE. Header fields as HTTP/2 carries them: HPACK (RFC 7541) undone, and what RFC 9113 section 8 forbids found."""

from collections.abc import Callable
from itertools import count
from typing import Final

import msgspec
from hpack import Decoder, HPACKError

from loadtests.protocols.http2_frames import BLOCK_MAX_BYTES, COMPRESSION_ERROR, refused

_KNOWN_BLOCKS: Final = 4_096
_KNOWN_BLOCK_BYTES: Final = 1_024
_KNOWN_TABLES: Final = 4_096
_LENGTH_DIGITS: Final = 18
SWITCHING_PROTOCOLS: Final = 101
_REQUEST: Final = {b":method", b":scheme", b":authority", b":path"}
_OF_ONE_CONNECTION: Final = {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
_NOT_IN_NAMES: Final = bytes((*range(0x21), *range(ord("A"), ord("Z") + 1), ord(":"), *range(0x7F, 0x100)))
"""Controls, space, capitals, colon, and what is not ASCII (8.2.1)."""
_NOT_IN_VALUES: Final = b"\0\r\n"


class Section(msgspec.Struct, frozen=True, gc=False):
    """The fields of one block. pseudo: those whose names begin with a colon. wrong: why they are malformed, or "".

    status: of a response that is one, final or interim, else 0. length: what content-length says, -1 for nothing.
    is_request: the fields of a request that may be promised.
    """

    pseudo: dict[bytes, bytes]
    fields: dict[bytes, bytes]
    wrong: str
    status: int
    length: int
    is_request: bool

    def check_response(self, *, end: bool) -> int:
        """Return the status of a response, final or interim (8.1, 8.3.2). Raises ProtocolError."""
        if not self.status:
            raise refused(
                self.wrong or f"a response with {self.pseudo!r:.60}, which should be :status and three digits"
            )
        if self.status < 200 and (end or self.status == SWITCHING_PROTOCOLS):
            raise refused(f"an interim response {self.status} that {'ends its stream' if end else 'HTTP/2 lacks'}")
        return self.status

    def check_trailers(self, *, end: bool) -> None:
        """Raises ProtocolError for trailers that are none (8.1)."""
        if self.wrong or self.pseudo or not end:
            raise refused(self.wrong or "fields behind a response that do not end it, or are those of another")

    def check_request(self) -> None:
        """Raises ProtocolError for what no request may be (8.3.1)."""
        if not self.is_request:
            raise refused(self.wrong or f"a promise with {sorted(self.pseudo)!r:.80} for a request")


def section_of(fields: list[tuple[bytes, bytes]]) -> Section:
    pseudo: dict[bytes, bytes] = {}
    plain: dict[bytes, bytes] = {}
    wrong = ""
    for name, value in fields:
        begins = name[:1] == b":"
        if begins and (plain or name in pseudo):
            wrong = f"{name[:40]!r} twice, or behind other fields"
        elif not name.strip(b":") or name.lstrip(b":").translate(None, _NOT_IN_NAMES) != name[begins:]:
            wrong = f"a field called {name[:40]!r}"
        elif value.translate(None, _NOT_IN_VALUES) != value or value.strip(b" \t") != value:
            wrong = f"{name[:40]!r} of {value[:40]!r}"
        elif name in _OF_ONE_CONNECTION or (name == b"te" and value != b"trailers"):
            wrong = f"{name!r}, which HTTP/2 has no use for"
        elif name == b"content-length" and plain.get(name, value) != value:
            wrong = "two lengths that differ"
        (pseudo if begins else plain)[name] = value
    length = plain.get(b"content-length", b"-1")
    if length != b"-1" and not (length.isdigit() and len(length) <= _LENGTH_DIGITS):
        wrong = f"a content-length of {length[:40]!r}"
    status = pseudo.get(b":status", b"")
    is_status = not wrong and len(pseudo) == 1 and len(status) == 3 and status.isdigit() and status >= b"100"
    is_request = not wrong and pseudo.keys() == _REQUEST and bool(pseudo[b":path"])
    return Section(pseudo, plain, wrong, int(status) if is_status else 0, -1 if wrong else int(length), is_request)


class FieldDecoder:
    """HPACK that remembers what it has decoded.

    All users of a process are sent the same blocks over equal tables, so one of them decodes, 30 us, for all.
    """

    _known: dict[tuple[int, bytes], Section] = {}  # noqa: RUF012
    _tables: dict[tuple[object, ...], int] = {}  # noqa: RUF012
    _new_table: Callable[[], int] = count().__next__

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=BLOCK_MAX_BYTES)
        self._table = self._name_table()

    def decode(self, block: bytes) -> Section:
        """Return the fields of a block. Blocks must come in the order of the wire. Raises ProtocolError."""
        key = (self._table, block)
        section = self._known.get(key)
        if section is None:
            try:
                fields = [(bytes(name), bytes(value)) for name, value in self._decoder.decode(block, raw=True)]
            except HPACKError as wrong:
                raise refused(f"a header block that cannot be decoded: {wrong}", COMPRESSION_ERROR) from wrong
            section = section_of(fields)
            self._table = self._name_table()
            if self._table == key[0] and len(block) <= _KNOWN_BLOCK_BYTES:
                if len(self._known) >= _KNOWN_BLOCKS:
                    self._known.clear()
                self._known[key] = section
        return section

    def _name_table(self) -> int:
        """Return a number that stands for the table's content, the same for equal tables, and never for another."""
        table = self._decoder.header_table
        content = (table.maxsize, *table.dynamic_entries)
        number = self._tables.get(content)
        if number is None:
            if len(self._tables) >= _KNOWN_TABLES:
                self._tables.clear()
            number = self._tables[content] = FieldDecoder._new_table()
        return number
