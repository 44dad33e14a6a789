"""How much memory the kernel holds in the buffers of given TCP sockets, asked over netlink (Linux, sock_diag(7)).

/proc/net/sockstat only has the total of everything on the machine, the load's own sockets included.
"""

import socket
import struct
from collections.abc import Collection, Iterator
from typing import Final

AF_NETLINK: Final = 16
"""Python defines it on Linux only, and type checkers run on macOS too."""
NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
NLM_F_REQUEST_DUMP: Final = 0x301
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
INET_DIAG_SKMEMINFO: Final = 7
ANY_STATE: Final = 0xFFFFFFFF
RECEIVE_BYTES: Final = 1 << 18

HEADER: Final = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence, port."""
REQUEST: Final = struct.Struct("=BBBxI48x")
"""struct inet_diag_req_v2: family, protocol, extensions, padding, states; an empty address matches all."""
INODE_AT: Final = 68
ANSWER_BYTES: Final = 72
"""struct inet_diag_msg, whose last field is the socket's inode; attributes follow."""
ATTRIBUTE: Final = struct.Struct("=HH")
MEMINFO: Final = struct.Struct("=IIIIIIII")
"""SK_MEMINFO_*: receive queue, its limit, sent and unfreed, its limit, reserved ahead, send queue, options, backlog."""


def socket_bytes(inodes: Collection[int]) -> int:
    """Return the bytes held for the TCP sockets with these inodes, or -1 where the kernel does not tell."""
    try:
        return sum(
            held for family in (socket.AF_INET, socket.AF_INET6) for inode, held in _sockets(family) if inode in inodes
        )
    except OSError:
        return -1


def _sockets(family: int) -> Iterator[tuple[int, int]]:
    """Yield (inode, bytes) of every TCP socket of this network namespace."""
    request = REQUEST.pack(family, socket.IPPROTO_TCP, 1 << (INET_DIAG_SKMEMINFO - 1), ANY_STATE)
    with socket.socket(AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        header = HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, 1, 0)
        netlink.sendto(header + request, (0, 0))
        while True:
            data = netlink.recv(RECEIVE_BYTES)
            for kind, payload in _messages(data):
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    raise OSError("the kernel refused the request")
                yield int.from_bytes(payload[INODE_AT:ANSWER_BYTES], "little"), _held(payload[ANSWER_BYTES:])


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, *_ = HEADER.unpack_from(data, at)
        yield kind, data[at + HEADER.size : at + length]
        at += (length + 3) & ~3


def _held(attributes: bytes) -> int:
    """Add up what is really held: both queues, what is reserved ahead for them, options and backlog."""
    at = 0
    while at + ATTRIBUTE.size <= len(attributes):
        length, kind = ATTRIBUTE.unpack_from(attributes, at)
        if kind == INET_DIAG_SKMEMINFO:
            received, _, _, _, ahead, queued, options, backlog = MEMINFO.unpack_from(attributes, at + ATTRIBUTE.size)
            return int(received + ahead + queued + options + backlog)
        at += (length + 3) & ~3
    return 0
