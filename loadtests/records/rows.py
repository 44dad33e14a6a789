"""PURE. The rows that are recorded: their columns, units and version. Nothing else in pollbench defines a row.

While load runs, a process appends rows as fixed-width binary records (`struct`), the cheapest thing Python can
append and the safest to find after a crash. `loadtests/records/to_parquet.py` turns those into Parquet with these same
columns.

Schema history
1   requests, deliveries, samples.
2   cells have a round trip of their own (`rtt_ms` in cell.json), a scenario may have several; deliveries: arrived_ns.
    Later also of reads that brought several messages; UNTOLD, which was 0 before. Later there may be
    exchanges.parquet, of processes that asked the publisher's clock, onto which all rows have then been brought; and
    Parquet files have a last column `host`, the load host that recorded the row, "" for the run's own machine.
"""

import struct
from typing import Final, NamedTuple

from loadtests.clocks.offset import ClockExchange

SCHEMA_VERSION: Final = 2
UNTOLD: Final = -1
USERS_OF_A_PROCESS: Final = 1_000_000
"""More than there are. A process that joins a test under way numbers its users from a multiple of it on."""
STALL_NS: Final = 200_000_000
"""A load process whose loop is as late as this stood still; its sample is taken when it goes on."""


class Request(NamedTuple):
    """One request, or one stream from its request to its end.

    user: number of the simulated client, unique in a cell.
    connection: which of the user's connections, counted from 1; a new number means a reconnect.
    due_ns: when the schedule wanted it sent; started_ns: just before send; first_byte_ns: just after the first
    recv that brought any of the response (0 if none did); ended_ns: just after the recv that completed it.
    status: HTTP status, 0 when no response came; error: one of ERRORS.
    messages: deliveries it brought; empty: 1 when it was answered completely and brought none.
    bytes_out, bytes_in: HTTP bytes of request and response, heads included, TCP/IP and TLS not.
    hold_ns: how long a long poll was kept, 0 for any other request. Never a latency.
    repeated: how often it was sent once more, because the server had closed a connection that was kept alive.
    """

    user: int
    connection: int
    due_ns: int
    started_ns: int
    first_byte_ns: int
    ended_ns: int
    status: int
    error: int
    messages: int
    empty: int
    bytes_out: int
    bytes_in: int
    hold_ns: int
    repeated: int = 0


class Delivery(NamedTuple):
    """One message reaching one user.

    due_ns and published_ns come from the message, received_ns is read right after the recv that brought its last
    byte. bytes: the message with its own framing (chunk head, event fields, frame head), shared heads not.
    mode: one of MODES, how it travelled.
    arrived_ns: when the kernel on the users' side had its last byte. Of messages that came in one read only the last
    has a stamp; those before it count as having been as long on the way. 0 where it was not asked, because the platform
    does not tell or the read was not drawn (connection.Draw); UNTOLD where the answer says nothing about the message.
    """

    user: int
    id: int
    due_ns: int
    published_ns: int
    received_ns: int
    bytes: int
    mode: int
    arrived_ns: int = 0


class Sample(NamedTuple):
    """What one process looked like at one instant. Counters are cumulative; -1 where the platform has no such number.

    role: one of ROLES. cpu_ns: user + system time. rss_bytes, open_sockets, kernel_socket_bytes: as the name says.
    lag_ns: generator only, the longest its loop was late since the sample before.
    connections, wire_*: generator only, TCP_INFO totals over all connections so far, live and closed.
    waited_ns: how long its main thread was ready to run and had no core. Runs from before it was recorded read as -1.
    """

    at_ns: int
    pid: int
    role: int
    cpu_ns: int
    rss_bytes: int
    open_sockets: int
    kernel_socket_bytes: int
    lag_ns: int
    connections: int
    wire_bytes_out: int
    wire_bytes_in: int
    wire_segments_out: int
    wire_segments_in: int
    waited_ns: int = -1


# Stored as small integers, named when loaded. Append only: old runs keep their meaning.
ERRORS: Final = ("", "refused", "reset", "timeout", "protocol", "status", "cut")
"""`cut`: in flight when the load was told to stop, so neither answered nor failed."""
MODES: Final = ("inline", "pushed")
"""`inline`: in the response to the user's own request; `pushed`: an HTTP/2 pushed response."""
ROLES: Final = ("server", "generator", "relay")

REQUEST: Final = struct.Struct("<iiqqqqhhiiqqqh")
DELIVERY: Final = struct.Struct("<iqqqqiiq")
SAMPLE: Final = struct.Struct("<qiiqqqqqqqqqqq")

ROW_TYPES: Final[dict[str, tuple[type[Request | Delivery | Sample], struct.Struct]]] = {
    "requests": (Request, REQUEST),
    "deliveries": (Delivery, DELIVERY),
    "samples": (Sample, SAMPLE),
}
"""Table name -> (columns, binary record). The pattern is a property of the file: one file per table and pattern."""

EXCHANGES: Final = "exchanges"
"""One more table, of two clocks, which stays as it was recorded."""
RECORDED: Final = {**ROW_TYPES, EXCHANGES: (ClockExchange, struct.Struct("<qqqq"))}
EXCHANGE: Final = RECORDED[EXCHANGES][1]

OUR_INSTANTS: Final[dict[str, tuple[str, ...]]] = {
    "requests": ("due_ns", "started_ns", "first_byte_ns", "ended_ns"),
    "deliveries": ("received_ns", "arrived_ns"),
    "samples": ("at_ns",),
}
"""Table -> the columns that are instants of the clock of who records them; 0 and less say something else. All others
are of the publisher's clock."""
