"""The relay: one thread, one selector, one heap of release instants. It never looks at a byte.

The model. A chunk is written to the other side half a round trip after it arrived (network.py, stamps.py), in order,
none lost. Opening a connection costs what TCP's handshake costs: on loopback a client's connect() returns at once, so
with an accept at t the server is connected to at t + 1.5 rtt, when the ACK that ends a real handshake reaches it, and
the client's first bytes follow. They would have left at t + rtt, when a real connect() returns; the first answer comes
at t + 2 rtt. (Toxiproxy leaves the handshake out: its issue 123.) FIN and RST travel like bytes, and a FIN ends one
direction only. A client whose server cannot be reached is reset at t + 2 rtt.

Back-pressure. A side that does not read stops the reading of the other side, as a closed TCP window would; so do
BACKLOG_BYTES on their way. A reset by a side that is not being read is noticed once there is room again.

Not modelled: loss, reordering, slow start and congestion control; the relay acknowledges at once, so a large answer
is not cut into windows of one round trip each. netem.py leaves all that to the kernel, where the kernel can.
"""

import errno
import heapq
import os
import selectors
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from servers.relay.connection import BACKLOG_BYTES, READ, WRITE, End, Flow, Signal, Tally, join, reset
from servers.relay.network import Network
from servers.relay.waiting import drop_timer_slack, wait
from servers.timing.clock import now_ns
from servers.timing.stamps import receive

RELEASES_PER_TURN: Final = 64
"""A turn of the loop reads all there is and writes this much, so that neither waits long for the other."""


class HasFileno(Protocol):
    """Anything a selector can watch."""

    def fileno(self) -> int: ...


class Relay:
    """Passes the connections of `listener` on to `upstream` through `network`.

    upstream: address family and socket address. max_open: connections at one time; those beyond are reset.
    report: takes lines for people.
    """

    def __init__(
        self,
        listener: socket.socket,
        upstream: tuple[socket.AddressFamily, Any],
        network: Network,
        max_open: int,
        report: Callable[[str], None],
    ) -> None:
        self.tally = Tally()
        self._listener = listener
        self._family, self._address = upstream
        self._network = network
        self._max_open = max_open
        self._report = report
        self._selector = selectors.DefaultSelector()
        self._heap: list[tuple[int, int, Flow]] = []
        self._open_ends: set[End] = set()
        self._stopping = False

    def watch(self, file: HasFileno, ready: Callable[[int], object]) -> None:
        """Call `ready` from the loop whenever `file` can be read. It must not block."""
        self._selector.register(file, READ, ready)

    def change(self, network: Network) -> None:
        """Become another network, for the connections that are open too."""
        self._network = network
        for end in self._open_ends:
            end.outbound.line.change(network)

    def cut(self) -> None:
        """Reset every connection at both ends, as a network that has just died."""
        for end in list(self._open_ends):
            self._close(end, reset)

    def stop(self, _events: int = 0) -> None:
        """Make `run` return."""
        self._stopping = True

    def run(self, stop_on: HasFileno) -> None:
        """Relay until `stop_on` becomes readable or `stop` is called."""
        drop_timer_slack()
        self._listener.setblocking(False)
        self.watch(self._listener, self._accept)
        self.watch(stop_on, self.stop)
        while not self._stopping:
            for key, events in wait(self._selector, self._heap[0][0] if self._heap else None):
                key.data(events)
            self._release_due()

    def _accept(self, _events: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:  # the client has given up between the selector's word and ours
            return
        if len(self._open_ends) >= 2 * self._max_open:
            self._refused(f"{self._max_open} connections are open: allow more open files (ulimit -n)")
            reset(sock)
            return
        self.tally.connections += 1
        client, server = End(sock), End(socket.socket(self._family, socket.SOCK_STREAM))
        self._open_ends |= {client, server}
        join(client, server, self.tally.connections, self._network)
        self._push(client.outbound, Signal.OPEN, now_ns() + self._network.rtt_ns)
        self._watch(client)

    def _ready(self, end: End, events: int) -> None:
        if events & WRITE and not end.gone:
            self._writable(end)
        if events & READ and not end.gone:
            self._readable(end)

    def _readable(self, end: End) -> None:
        try:
            chunk, read_ns, stamp_ns = receive(end.sock, self._network.read_bytes)
        except BlockingIOError:
            return
        except OSError:
            self._vanished(end)
            return
        arrival_ns = stamp_ns or read_ns
        if chunk:
            self.tally.count_chunk(len(chunk))
            self._push(end.outbound, chunk, arrival_ns)
        else:
            end.eof = True
            self._push(end.outbound, Signal.FIN, arrival_ns)
            self._settle(end)

    def _push(self, flow: Flow, item: bytes | Signal, arrival_ns: int) -> None:
        """Send off what arrived. Towards an end that is gone it is lost, as on a wire."""
        if flow.sink.gone:
            return
        size = 0 if isinstance(item, Signal) else len(item)
        flow.queue.append((flow.line.release_ns(arrival_ns, size), item))
        flow.backlog += size
        self._schedule(flow)
        if flow.backlog >= BACKLOG_BYTES:
            self._watch(flow.source)

    def _schedule(self, flow: Flow) -> None:
        if flow.queue and not (flow.scheduled or flow.blocked):
            flow.scheduled = True
            heapq.heappush(self._heap, (flow.queue[0][0], flow.number, flow))

    def _release_due(self) -> None:
        heap = self._heap
        for _ in range(RELEASES_PER_TURN):
            if not heap or heap[0][0] > (at_ns := now_ns()):
                return
            due_ns, _, flow = heapq.heappop(heap)
            flow.scheduled = False
            self.tally.count_release(at_ns - due_ns)
            self._advance(flow, at_ns)

    def _advance(self, flow: Flow, at_ns: int) -> None:
        """Write what is due until the sink takes no more."""
        queue = flow.queue
        while queue and queue[0][0] <= at_ns and not flow.blocked:
            release_ns, item = queue.popleft()
            if isinstance(item, Signal):
                self._signal(flow, item)
            else:
                self._write(flow, release_ns, item)
        self._schedule(flow)

    def _write(self, flow: Flow, release_ns: int, chunk: bytes) -> None:
        try:
            sent = flow.sink.sock.send(chunk)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._vanished(flow.sink)
            return
        flow.backlog -= sent
        if sent < len(chunk):
            flow.queue.appendleft((release_ns, chunk[sent:]))
            self._block(flow)
            if flow.queue[-1][1] is Signal.RESET:
                self._cut(flow)
        elif not flow.source.events & READ:
            self._watch(flow.source)

    def _signal(self, flow: Flow, signal: Signal) -> None:
        sink = flow.sink
        if signal is Signal.RESET:
            self._close(sink, reset)
        elif signal is Signal.FIN:
            sink.shut = True
            try:
                sink.sock.shutdown(socket.SHUT_WR)
            except OSError:
                self._vanished(sink)
            else:
                self._settle(sink)
        elif (error := sink.sock.connect_ex(self._address)) in {0, errno.EINPROGRESS}:
            self._block(flow)
        else:
            self._unreachable(sink, error)

    def _writable(self, end: End) -> None:
        if end.connecting:
            if error := end.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._unreachable(end, error)
                return
            end.connecting = False
        end.inbound.blocked = False
        self._watch(end)
        self._watch(end.inbound.source)
        self._advance(end.inbound, now_ns())

    def _block(self, flow: Flow) -> None:
        flow.blocked = True
        self._watch(flow.sink)
        self._watch(flow.source)

    def _cut(self, flow: Flow) -> None:
        """Drop what the sink has no room for: the source would have dropped it unsent. Its reset goes on alone."""
        reset_item = flow.queue[-1]
        flow.drop()
        flow.queue.append(reset_item)
        self._schedule(flow)

    def _unreachable(self, server: End, error: int) -> None:
        self._refused(f"cannot connect to {self._address[0]}:{self._address[1]}: {os.strerror(error)}")
        self._vanished(server)

    def _refused(self, reason: str) -> None:
        self.tally.refused += 1
        if self.tally.refused == 1:
            self._report(f"relay: {reason}; this client is reset, as all others that meet the same")

    def _vanished(self, end: End) -> None:
        """Close an end that its peer has reset: what is on its way to it is lost, its partner will hear."""
        self._close(end)
        self._push(end.outbound, Signal.RESET, now_ns())
        if end.outbound.blocked:
            self._cut(end.outbound)

    def _settle(self, end: End) -> None:
        """Close an end once both its directions have ended."""
        if end.eof and end.shut:
            self._close(end)
        else:
            self._watch(end)

    def _close(self, end: End, how: Callable[[socket.socket], None] = socket.socket.close) -> None:
        if end.events:
            self._selector.unregister(end.sock)
        how(end.sock)
        end.gone = True
        self._open_ends.discard(end)
        end.inbound.drop()

    def _watch(self, end: End) -> None:
        """Tell the selector what an end is waited for now."""
        events = end.wanted()
        if end.gone or events == end.events:
            return
        if not end.events:
            self._selector.register(end.sock, events, partial(self._ready, end))
        elif not events:
            self._selector.unregister(end.sock)
        else:
            self._selector.modify(end.sock, events, partial(self._ready, end))
        end.events = events
