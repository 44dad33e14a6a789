"""Asks the publisher's clock beside a recorder, so that what that records can be brought onto the publisher's clock.

A clock of another name is to be asked all the time. One that says it is ours is checked when recording begins and when
it ends: five questions a second would be a part of what the server costs.
"""

from typing import Final

import msgspec

from loadtests.clocks.drift import Drift, rho_ppm
from loadtests.clocks.line import FIRST_LOOKS, ClockLine, NoClock, Told
from loadtests.clocks.offset import ClocksDisagree, OffsetInterval
from loadtests.records.load_clocks import shifted
from loadtests.records.manifest import LoadClock
from loadtests.records.recorder import Observer, Recorder, Rows
from servers.timing.clock import clock_id, now_and_raw_ns, same_clock

EACH_S: Final = 0.2
"""At 50 ppm the interval widens by 10 us meanwhile."""


class ClockWatch:
    """One for each test of a process that records. offset: as far as it is known so far.

    same: the publisher says that its clock is ours.
    """

    def __init__(self, line: ClockLine, publisher: str, offset: OffsetInterval, recorder: Recorder) -> None:
        """publisher: the name of its clock."""
        self._line, self._recorder = line, recorder
        self.same = same_clock(publisher, clock_id())
        self._known = LoadClock(clock=clock_id(), publisher=publisher, same=self.same)
        self.offset = offset
        self._narrowed: OffsetInterval | None = None if self.same else offset
        self._here, self._there = Drift(), Drift()

    @property
    def ahead_ns(self) -> int:
        """Return about what the publisher's clock shows more than ours."""
        return 0 if self.same else self.offset.midpoint_ns

    def look_closely(self) -> None:
        """Make a few exchanges, and say what is known by now. Raises OSError for what cannot be written down."""
        for _ in range(FIRST_LOOKS):
            if not self.look():
                break
        if self.same:
            self._line.close()
        self._recorder.clock(self._told())

    def look(self) -> bool:
        """Make an exchange; return whether there was an answer. Without one, less is known, and nothing is wrong."""
        try:
            told = self._line.ask()
        except (OSError, NoClock):
            return False
        self._take(told)
        return True

    def on_their_clock(self, observe: Observer) -> Observer:
        """Return what shows `observe` our rows on the publisher's clock."""

        def observed(table: str, pattern: str, rows: Rows) -> None:
            observe(table, pattern, rows if self.same else shifted(table, rows, self.ahead_ns))

        return observed

    def _take(self, told: Told) -> None:
        self._here.take(*now_and_raw_ns())
        self._there.take(told.exchange.answered_ns, told.raw_ns)
        self._recorder.exchange(told.exchange)
        if not same_clock(self._known.publisher, told.clock_id):
            self._note(f"GET /clock is answered by another clock than the publisher's, {told.clock_id!r}")
        try:
            interval = told.exchange.interval(rho_ppm(self._here, self._there))
            self._narrowed = interval if self._narrowed is None else self._narrowed.intersect(interval)
        except ClocksDisagree as wrong:
            self._note(str(wrong))
        if not self.same and self._narrowed is not None:
            self.offset = self._narrowed

    def _note(self, problem: str) -> None:
        self._known = msgspec.structs.replace(self._known, problem=self._known.problem or problem)

    def _told(self) -> LoadClock:
        known = msgspec.structs.replace(self._known, rho_ppm=rho_ppm(self._here, self._there))
        found = self._narrowed
        if found is None:
            return known
        return msgspec.structs.replace(
            known,
            low_ns=found.low_ns,
            high_ns=found.high_ns,
            at_ns=found.at_ns,
            error_ns=0 if self.same else found.error_ns,
        )
