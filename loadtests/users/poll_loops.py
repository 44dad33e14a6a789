"""When polls follow each other: again as soon as the last was answered, or by a schedule."""

from typing import Final

from loadtests.scenario.poll_timing import Pace, parse_pace
from loadtests.users.polling import PollingUser
from loadtests.users.user_settings import session
from servers.timing.clock import now_ns

GRACE_S: Final = 30.0
"""How much longer than the hold an answer may take: a server may add jitter, and a network its delay."""


class HeldPollingUser(PollingUser):
    """Always has one request with the server."""

    abstract = True
    held = True

    def on_start(self) -> None:
        self.patience_s = session.options.hold_timeout_s + GRACE_S
        super().on_start()

    def live(self) -> None:
        while True:
            self.poll(now_ns())


class PacedPollingUser(PollingUser):
    """Asks every `poll_interval_s`, as regularly as `poll_pace` says, its phase random
    unless all start together.

    Unless the pace waits for answers, instants are fixed without them: a poll that is late is sent at once and keeps
    the instant at which it was due, and the ones after it are not moved. After an error the user stays away on
    purpose, and what fell due meanwhile is not made up for.
    """

    abstract = True

    def live(self) -> None:
        interval_ns, pace = round(session.options.poll_interval_s * 1e9), parse_pace(session.options.poll_pace)
        if not interval_ns:
            self._without_pause()
        due_ns = self._first_due_ns(interval_ns, pace)
        while True:
            wait_ns = due_ns - now_ns()
            if wait_ns > 0:
                self.pause(wait_ns / 1e9)
            if not self.poll(due_ns):
                due_ns += (now_ns() - due_ns) // interval_ns * interval_ns
            due_ns = (now_ns() if pace.after_answer else due_ns) + round(pace.gap(self.random) * interval_ns)

    def _first_due_ns(self, interval_ns: int, pace: Pace) -> int:
        """Together means by the publisher's clock, for all processes alike: at the next multiple of the interval."""
        if session.options.poll_start == "together":
            there_ns = now_ns() + session.ahead_ns
            return (there_ns // interval_ns + 1) * interval_ns - session.ahead_ns
        return now_ns() + round(pace.first(self.random) * interval_ns)

    def _without_pause(self) -> None:
        """A closed loop: how fast can this go? Its latency means nothing."""
        while True:
            self.poll(now_ns())
