"""Frames by hand, and what is to become of them: Autobahn's case list, sections 1 to 7 and 9, for both sides."""

import struct
from typing import Final, NamedTuple

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
MASK: Final = b"\x01\xf2\x03\x84"


def frame(first: int, payload: bytes, *, masked: bool = False, form: int | None = None) -> bytes:
    """Frame a payload by the rule of RFC 6455 5.2 and not by our code. form: bytes of the extended length."""
    size, bit = len(payload), 0x80 if masked else 0
    form = (0 if size < 126 else 2 if size < 65_536 else 8) if form is None else form
    length = {0: bytes((bit | size & 0x7F,)), 2: bytes((bit | 126,)) + size.to_bytes(8, "big")[6:]}.get(form)
    if length is None:
        length = bytes((bit | 127,)) + struct.pack(">Q", size)
    if not masked:
        return bytes((first,)) + length + payload
    return bytes((first,)) + length + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))


class Case(NamedTuple):
    """sent: first byte and payload of each frame. read: opcode and payload of what comes out. code: of the refusal."""

    name: str
    sent: list[tuple[int, bytes]]
    read: list[tuple[int, bytes]]
    code: int = 0


def close(code: int, reason: bytes = b"") -> bytes:
    return struct.pack(">H", code) + reason


HELLO: Final = "Hello-µ@ßöäüàá-UTF-8!!".encode()
"""Autobahn's own example, of 2-byte characters."""
LIMIT_BYTES: Final = 200_000

GOOD = [
    *(Case(f"1.1 text of {size}", [(0x81, b"*" * size)], [(TEXT, b"*" * size)])
      for size in (0, 125, 126, 127, 128, 65_535, 65_536)),
    *(Case(f"1.2 binary of {size}", [(0x82, b"\xfe" * size)], [(BINARY, b"\xfe" * size)])
      for size in (0, 125, 126, 127, 128, 65_535, 65_536)),
    Case("2.1 ping without payload", [(0x89, b"")], [(PING, b"")]),
    Case("2.3 ping with bytes that are no text", [(0x89, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")],
         [(PING, b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff")]),
    Case("2.4 ping of 125", [(0x89, b"\xfe" * 125)], [(PING, b"\xfe" * 125)]),
    Case("2.8 pong that nobody asked for, then a ping", [(0x8A, b"x"), (0x89, b"y")], [(PONG, b"x"), (PING, b"y")]),
    Case("2.10 ten pings", [(0x89, b"%d" % n) for n in range(10)], [(PING, b"%d" % n) for n in range(10)]),
    Case("5.3 text in two fragments", [(0x01, b"frag"), (0x80, b"ment")], [(TEXT, b"fragment")]),
    Case("5.6 a ping between fragments", [(0x01, b"a"), (0x89, b"p"), (0x80, b"b")], [(PING, b"p"), (TEXT, b"ab")]),
    Case("5.19 pings between many fragments",
         [(0x01, b"1"), (0x00, b"2"), (0x89, b"p"), (0x00, b"3"), (0x00, b"4"), (0x89, b"q"), (0x80, b"5")],
         [(PING, b"p"), (PING, b"q"), (TEXT, b"12345")]),
    Case("6.1 empty fragments", [(0x01, b""), (0x00, b""), (0x80, b"")], [(TEXT, b"")]),
    Case("6.1 empty, then not", [(0x01, b""), (0x00, b"middle"), (0x80, b"")], [(TEXT, b"middle")]),
    Case("6.2 UTF-8", [(0x81, HELLO)], [(TEXT, HELLO)]),
    Case("6.2 UTF-8 cut within a character",
         [(0x01 if not at else 0x80 if at == len(HELLO) - 1 else 0x00, HELLO[at : at + 1]) for at in range(len(HELLO))],
         [(TEXT, HELLO)]),
    *(Case(f"6.7 valid: {text!r}", [(0x81, text)], [(TEXT, text)])
      for text in (b"\x00", "\u0080".encode(), "\u07ff".encode(), "\u0800".encode(), "\uffff".encode(),
                   "\U00010000".encode(), "\U0010ffff".encode(), "\ud7ff".encode(), "\ue000".encode(),
                   "\ufffe".encode(), "\U0001fffe".encode())),
    Case("binary need not be UTF-8, in fragments", [(0x02, b"\xff"), (0x80, b"\xfe")], [(BINARY, b"\xff\xfe")]),
    Case("7.1 nothing behind a close", [(0x88, close(1000)), (0x81, b"x"), (0x89, b"y")], [(CLOSE, close(1000))]),
    Case("7.1.5 a close within a message", [(0x01, b"x"), (0x88, close(1000)), (0x80, b"y")], [(CLOSE, close(1000))]),
    Case("7.3.1 close without payload", [(0x88, b"")], [(CLOSE, b"")]),
    Case("7.3.4 close with a reason", [(0x88, close(1000, HELLO))], [(CLOSE, close(1000, HELLO))]),
    Case("7.3.5 close with the longest reason", [(0x88, close(1000, b"*" * 123))], [(CLOSE, close(1000, b"*" * 123))]),
    *(Case(f"7.7 close {code}", [(0x88, close(code))], [(CLOSE, close(code))])
      for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)),
    Case("9 a message as long as is taken", [(0x81, b"x" * LIMIT_BYTES)], [(TEXT, b"x" * LIMIT_BYTES)]),
    Case("9 the same in fragments", [(0x01, b"x" * 100_000), (0x80, b"x" * 100_000)], [(TEXT, b"x" * LIMIT_BYTES)]),
    Case("9 a ping when the message is as long as is taken",
         [(0x01, b"x" * LIMIT_BYTES), (0x89, b"p"), (0x80, b"")], [(PING, b"p"), (TEXT, b"x" * LIMIT_BYTES)]),
]  # fmt: skip

BAD = [
    Case("2.5 ping of 126", [(0x89, b"\xfe" * 126)], [], 1002),
    *(Case(f"3 reserved bits {bits:#x}", [(0x81, b"good"), (0x81 | bits, b"x")], [(TEXT, b"good")], 1002)
      for bits in (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70)),
    Case("3 a reserved bit on a ping", [(0xC9, b"x")], [], 1002),
    Case("3 a reserved bit on a close", [(0x98, b"")], [], 1002),
    *(Case(f"4 opcode {opcode}", [(0x81, b"good"), (0x80 | opcode, b"x")], [(TEXT, b"good")], 1002)
      for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    Case("5.1 a ping in fragments", [(0x09, b"x"), (0x80, b"y")], [], 1002),
    Case("5.2 a pong in fragments", [(0x0A, b"x"), (0x80, b"y")], [], 1002),
    Case("7 a close in fragments", [(0x08, close(1000)), (0x80, b"")], [], 1002),
    Case("5.9 a last continuation of nothing", [(0x80, b"x")], [], 1002),
    Case("5.12 a continuation of nothing", [(0x00, b"x")], [], 1002),
    Case("5.15 a continuation behind a whole message",
         [(0x01, b"a"), (0x80, b"b"), (0x00, b"c")], [(TEXT, b"ab")], 1002),
    Case("5.18 a message within one", [(0x01, b"a"), (0x01, b"b")], [], 1002),
    Case("5.18 a whole message within one", [(0x01, b"a"), (0x81, b"b")], [], 1002),
    Case("5.18 a message within one that is empty so far", [(0x01, b""), (0x81, b"b")], [], 1002),
    Case("5.18 binary within text", [(0x01, b""), (0x82, b"b")], [], 1002),
    *(Case(f"6 not UTF-8: {text!r}", [(0x81, b"good"), (0x81, text)], [(TEXT, b"good")], 1007)
      for text in (b"\xff", b"\xfe", b"\x80", b"\xbf", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc1\xbf",
                   b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xce", b"ok \xc3(",
                   "\u1f79".encode()[:-1])),
    Case("6.3 not UTF-8, in fragments", [(0x01, "\u03ba".encode()), (0x80, b"\xed\xa0\x80")], [], 1007),
    Case("6 a character that the message does not finish", [(0x01, b"\xce"), (0x80, b"")], [], 1007),
    Case("7.3.2 close of 1 byte", [(0x88, b"a")], [], 1002),
    Case("7.3.6 close of 126 bytes", [(0x88, close(1000, b"*" * 124))], [], 1002),
    Case("7.5.1 close whose reason is not UTF-8", [(0x88, close(1000, b"\xce\xba\xff"))], [], 1007),
    *(Case(f"7.9 close {code}", [(0x88, close(code))], [], 1002)
      for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535)),
    Case("9 a message too long", [(0x81, b"good"), (0x81, b"x" * (LIMIT_BYTES + 1))], [(TEXT, b"good")], 1009),
    Case("9 a message too long in fragments", [(0x01, b"x" * LIMIT_BYTES), (0x80, b"y")], [], 1009),
]  # fmt: skip

WIRE = {
    "5 bytes in the form for 65,535": (b"\x81", b"\x7e\x00\x05", b"hello", 1002),
    "125 bytes in the form for 65,535": (b"\x81", b"\x7e\x00\x7d", b"x" * 125, 1002),
    "5 bytes in the form for 2^63": (b"\x81", b"\x7f" + struct.pack(">Q", 5), b"hello", 1002),
    "65,535 bytes in the form for 2^63": (b"\x82", b"\x7f" + struct.pack(">Q", 65_535), b"x" * 65_535, 1002),
    "a length of 2^63": (b"\x81", b"\x7f" + struct.pack(">Q", 2**63), b"x", 1002),
    "a length of 2^64 - 1": (b"\x82", b"\x7f" + struct.pack(">Q", 2**64 - 1), b"x", 1002),
    "a length of 2^63 - 1": (b"\x81", b"\x7f" + struct.pack(">Q", 2**63 - 1), b"x", 1009),
    "a ping in the form for 65,535": (b"\x89", b"\x7e\x00\x05", b"hello", 1002),
    "a ping of 2^62": (b"\x89", b"\x7f" + struct.pack(">Q", 2**62), b"x", 1002),
}
"""Lengths that no frame writes: first byte, length, payload, code."""


def on_the_wire(name: str, *, masked: bool) -> bytes:
    first, length, payload, _ = WIRE[name]
    mask = b"\0\0\0\0" if masked else b""
    return first + bytes((length[0] | (0x80 if masked else 0),)) + length[1:] + mask + payload


def as_sent(case: Case, *, masked: bool) -> bytes:
    return b"".join(frame(first, payload, masked=masked) for first, payload in case.sent)
