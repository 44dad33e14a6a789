"""The kernel's stamps on our clock: never off by more than is said, and none where that cannot be promised."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.timing.clock import now_ns
from servers.timing.stamps import AVAILABLE, TOGETHER_NS, StampClock, ask_for_stamps, receive

MS = 1_000_000
OFFSET_NS = -1_700_000_000_000_000_000
linux_only = pytest.mark.skipif(not AVAILABLE, reason="only Linux stamps what arrives")


class TimeOfDay:
    """The clock on the wall: ahead of ours by so much until it is set, by so much afterwards."""

    def __init__(self, set_at_ns: int, by_ns: int) -> None:
        self._set_at_ns = set_at_ns
        self._by_ns = by_ns

    def at(self, ns: int) -> int:
        return ns - OFFSET_NS + (self._by_ns if ns >= self._set_at_ns else 0)


waits = st.lists(st.tuples(st.integers(1, 50 * MS), st.integers(0, 80 * MS)), min_size=1, max_size=30)
"""(time from one read to the next, how long what is read had waited)"""
brackets = st.tuples(st.integers(0, TOGETHER_NS), st.integers(0, TOGETHER_NS)).map(sorted)
"""When, after a read, the time of day is read, and then our clock again."""


def mapped(waits_ns: list[tuple[int, int]], wall: TimeOfDay, bracket: list[int]) -> list[tuple[int, int, int]]:
    """Return (when it arrived, what the stamp says of that, when it was read) for reads that follow each other."""
    clock, now, found = StampClock(OFFSET_NS), 0, []
    for pause_ns, waited_ns in waits_ns:
        now += pause_ns
        arrived_ns = max(1, now - waited_ns)
        wall_ns, after_ns = wall.at(now + bracket[0]), now + bracket[1]
        found.append((arrived_ns, clock.arrival_ns(wall.at(arrived_ns), now, wall_ns, after_ns), now))
    return found


@given(waits, brackets)
def test_an_arrival_is_never_late_and_early_by_at_most_the_bracket(
    waits_ns: list[tuple[int, int]], bracket: list[int]
) -> None:
    for arrived_ns, told_ns, _ in mapped(waits_ns, TimeOfDay(0, 0), bracket):
        assert told_ns == 0 or arrived_ns - bracket[1] <= told_ns <= arrived_ns


steps = st.sampled_from([2 * TOGETHER_NS, MS, 3_600_000 * MS]).flatmap(lambda most: st.integers(-most, most))


@given(waits, brackets, st.integers(0, 1_000 * MS), steps)
def test_setting_the_time_of_day_makes_no_arrival_wrong(
    waits_ns: list[tuple[int, int]], bracket: list[int], set_at_ns: int, by_ns: int
) -> None:
    for arrived_ns, told_ns, read_ns in mapped(waits_ns, TimeOfDay(set_at_ns, by_ns), bracket):
        assert told_ns == 0 or abs(told_ns - arrived_ns) <= 3 * TOGETHER_NS
        assert told_ns <= read_ns


@given(st.integers(-3_600_000 * MS, 3_600_000 * MS))
def test_stamps_are_trusted_again_soon_after_the_time_of_day_was_set(by_ns: int) -> None:
    reads = [(10 * MS, MS)] * 10
    wall = TimeOfDay(set_at_ns=35 * MS, by_ns=by_ns)
    told = [told_ns for _, told_ns, _ in mapped(reads + [(abs(by_ns) + MS, MS)] * 3, wall, [50, 100])]
    assert all(told[:3])
    assert told[-1]


def test_clocks_that_were_not_read_together_say_nothing() -> None:
    clock = StampClock(OFFSET_NS)
    assert clock.arrival_ns(5 - OFFSET_NS, 10, 10 - OFFSET_NS, 10 + TOGETHER_NS + 1) == 0
    assert clock.arrival_ns(5 - OFFSET_NS, 10, 10 - OFFSET_NS, 10 + TOGETHER_NS) == 5


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection whose first end has stamps, warm: the kernel begins to stamp some time after the first wish."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = socket.create_connection(listener.getsockname())
        reader = listener.accept()[0]
    with closing(sender), closing(reader):
        sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask_for_stamps(reader)
        for _ in range(1000):
            sender.sendall(b"warm")
            if receive(reader, 100)[2]:
                break
            time.sleep(0.001)
        yield reader, sender


class Late:
    """Pieces that are sent apart and read together, later: when each was sent from, and what the read said."""

    def __init__(self, pair: tuple[socket.socket, socket.socket], *pieces: bytes) -> None:
        reader, sender = pair
        self.arrived_ns = 0
        while not self.arrived_ns:  # a test that is preempted between two clocks has no stamp
            self.sent_from_ns = []
            for piece in pieces:
                self.sent_from_ns.append(now_ns())
                sender.sendall(piece)
                time.sleep(0.01)
            self.read_from_ns = now_ns()
            self.data, self.read_ns, self.arrived_ns = receive(reader, 100)


@linux_only
def test_a_stamp_says_when_it_arrived_however_late_it_is_read(pair: tuple[socket.socket, socket.socket]) -> None:
    late = Late(pair, b"message")
    assert late.data == b"message"
    assert late.sent_from_ns[0] - TOGETHER_NS <= late.arrived_ns < late.read_from_ns <= late.read_ns


@linux_only
def test_a_read_of_two_segments_has_the_stamp_of_the_second(pair: tuple[socket.socket, socket.socket]) -> None:
    """Why a message that does not come alone gets none."""
    late = Late(pair, b"first,", b"second")
    assert late.data == b"first,second"
    assert late.sent_from_ns[1] - TOGETHER_NS <= late.arrived_ns < late.read_from_ns


def test_without_a_stamp_the_arrival_is_not_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = socket.create_connection(listener.getsockname())
        reader = listener.accept()[0]
    with closing(sender), closing(reader):
        sender.sendall(b"message")
        before_ns = now_ns()
        data, read_ns, arrived_ns = receive(reader, 100)
    assert (data, arrived_ns) == (b"message", 0)
    assert read_ns >= before_ns


def test_a_closed_connection_reads_as_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    reader, sender = pair
    sender.shutdown(socket.SHUT_WR)
    assert receive(reader, 100)[0] == b""
