"""What TLS adds to a server's CPU, measured in memory: to seal a message into a record, and to open one again.

Two ends of Python's own ssl, without a socket. A connection that is served adds its transport's share and its
handshake, so that this is the least that TLS costs.
"""

import ssl
import time
from statistics import median
from typing import Final

import trustme

RECORDS: Final = 4_000
ROUNDS: Final = 7
MESSAGE: Final = bytes(400)


def measured_s() -> float:
    """Return the CPU seconds of one record, sealed or opened: half of both, the median of several rounds."""
    here, there, outward = connected()
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(RECORDS):
            here.write(MESSAGE)
            there.read(len(MESSAGE))
        rounds.append((time.process_time() - began) / (2 * RECORDS))
    assert not outward.pending
    return median(rounds)


def connected() -> tuple[ssl.SSLObject, ssl.SSLObject, ssl.MemoryBIO]:
    """Return two ends that have shaken hands, and what the first writes into."""
    authority = trustme.CA()
    serving, asking = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(serving)
    authority.configure_trust(asking)
    inward, outward = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = serving.wrap_bio(inward, outward, server_side=True)
    there = asking.wrap_bio(outward, inward, server_hostname="localhost")
    waiting = [there, here]
    while waiting:
        end = waiting.pop(0)
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(end)
    return here, there, outward
