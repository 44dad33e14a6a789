"""A TCP connection whose other end hears nothing any more, as when a machine loses its power or a cable is cut.

The kernel is told to drop whatever comes for the socket, before TCP sees it: nothing is acknowledged, and no goodbye is
said. It needs no privilege, no other network and no firewall, but Linux.
"""

import ctypes
import socket
import struct
import sys
from typing import Final

AVAILABLE: Final = sys.platform.startswith("linux")
SO_ATTACH_FILTER: Final = 26
"""asm-generic/socket.h; the socket module does not name it."""
BPF_RET_NOTHING: Final = struct.pack("=HBBI", 0x06, 0, 0, 0)
"""struct sock_filter, linux/filter.h: the program of one instruction, BPF_RET | BPF_K with 0: keep 0 bytes."""


def vanish(sock: socket.socket) -> None:
    """Let a connection hear nothing from now on. What it sends still arrives. Linux only."""
    program = ctypes.create_string_buffer(BPF_RET_NOTHING, len(BPF_RET_NOTHING))
    # struct sock_fprog: how many instructions, and where they are.
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
