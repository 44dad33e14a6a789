"""PURE. Named scenarios: how many clients wait for what, and what each scenario is for.

The first six are questions to the patterns. Those behind them are things that people build: rate, size, clients and
goals are those of such a thing, and `basis` says who says so. In each, every client gets every message, as followers
of one thing do; where a service tells each client of its own, count all that its server sends.
"""

from dataclasses import dataclass
from typing import Final

from loadtests.scenario.poll_timing import parse_pace
from loadtests.scenario.settings import OPTIONS, RELAY, SETTINGS, Settings, schedules

ONE_PROCESS: Final = "1 with --fault or --one-per-write, or with a server that is not ours"
NOT_BETWEEN: Final = "it delays what stays on this machine"
RELAYED: Final = ("jitter_ms", "bandwidth_bits_per_s")
"""What only a relay can do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(Settings):
    """One situation to measure. A cell is pattern x scenario x client count x round trip x message rate x repeat.

    goals: what must hold of a pattern for this to work, as `pollbench gate` has them; basis: where rate, size,
    interval and goals come from.
    target: what was typed to name a server that is not ours, "" for none; adapter: what came of it, as JSON
    (loadtests/foreign/spec.py).
    """

    name: str
    purpose: str
    goals: tuple[str, ...] = ()
    basis: str = ""
    target: str = ""
    adapter: str = ""

    def check_planned(self) -> None:
        """Raise ValueError for what may be found, or asked for by hand, but cannot be planned."""
        relayed = f"left out, or --network {RELAY} chosen: only the relay can do it"
        shared = not (self.fault or self.one_per_write or self.adapter)
        heard = not self.silence_timeout_s or self.heartbeat_s < self.silence_timeout_s
        for name, good, remedy in [
            ("schedule", all(self.schedules), "a schedule that publishes"),
            ("poll_interval_s", self.poll_interval_s > 0, "more than 0, at most 3600 s"),
            # Without heartbeats it cannot be known how long a healthy stream is silent, so any limit may be meant.
            ("silence_timeout_s", heard, f"0 (never) or more than {OPTIONS['heartbeat_s']}, to 3600 s"),
            ("server_processes", self.server_processes == 1 or shared, ONE_PROCESS),
            ("workers", not self.workers or self.network == RELAY, f"0 with --network {self.network}: {NOT_BETWEEN}"),
            *((name, self.network == RELAY or not getattr(self, name), relayed) for name in RELAYED),
        ]:
            if not good:
                raise SETTINGS[name].refusal(getattr(self, name), remedy)

    @property
    def schedules(self) -> dict[float, str]:
        return schedules(self.schedule)

    def drain_or_default_s(self, rtt_ms: float) -> float:
        if self.drain_s is not None:
            return self.drain_s
        return self.poll_interval_s * parse_pace(self.poll_pace).longest + 0.5 + 2 * self.slowest_rtt_s(rtt_ms)

    def slowest_rtt_s(self, rtt_ms: float) -> float:
        """Return seconds there and back when jitter does its worst."""
        return (rtt_ms + 2 * self.jitter_ms) / 1000

    def load_s(self, clients: int, rtt_ms: float) -> float:
        """Seconds of load for one cell, start-up not included."""
        return self.ramp_s(clients) + self.warmup_s + self.window_s + self.drain_or_default_s(rtt_ms)

    def ramp_s(self, clients: int) -> float:
        return clients / self.spawn_per_s

    def relayed(self, rtt_ms: float) -> bool:
        """Whether there is anything for a relay to do."""
        return self.network == RELAY and any([rtt_ms, *(getattr(self, name) for name in RELAYED)])

    @property
    def loads(self) -> int:
        """How many load processes share the clients."""
        return max(self.workers, 1) * (self.load_processes or 1)


_ALL: Final = (
    Scenario(
        name="feed",
        purpose="a live feed: steady updates, several a second, at random instants (the default)",
        clients=(50,),
        schedule="poisson:5",
        poll_interval_s=1.0,
        window_s=4.0,
    ),
    Scenario(
        name="quiet",
        purpose="notifications: a message every few seconds, most polls find nothing",
        clients=(50,),
        schedule="poisson:0.4",
        poll_interval_s=2.0,
        window_s=47.0,
    ),
    Scenario(
        name="burst",
        purpose="alarms: nothing, then 20 messages together, every 2 seconds",
        clients=(50,),
        schedule="burst:20/2",
        poll_interval_s=1.0,
        window_s=8.0,
    ),
    Scenario(
        name="busy",
        purpose="above the comfort zone of long polling: 40 messages a second to everyone",
        clients=(50,),
        schedule="poisson:40",
        poll_interval_s=0.5,
    ),
    Scenario(
        name="clients",
        purpose="how each pattern scales: the same feed for 10, 50, 200 and 500 clients",
        clients=(10, 50, 200, 500),
        schedule="poisson:2",
        poll_interval_s=1.0,
        window_s=9.0,
    ),
    Scenario(
        name="rates",
        purpose="how each pattern takes more frequent messages: 5, 12, 30 and 100 a second, 40 ms away",
        clients=(20,),
        schedule="poisson:5,poisson:12,poisson:30,poisson:100",
        poll_interval_s=0.5,
        window_s=4.0,
        rtt_ms=(40.0,),
    ),
    Scenario(
        name="progress",
        purpose="progress of a job: two updates a second to the few clients that started it",
        goals=("p99_ms < 1000", "missed == 0"),
        basis=(
            "two updates a second at most, as KinoProgressBar sends (hexdocs.pm/kino_progress_bar); a second is what "
            "a user's flow of thought bears (Nielsen 1993, Response Times: The 3 Important Limits)"
        ),
        clients=(5,),
        schedule="steady:2",
        message_bytes=100,
        poll_interval_s=1.0,
        window_s=10.5,
    ),
    Scenario(
        name="dashboard",
        purpose="a dashboard: 20 panels drawn anew every 5 seconds, on the screens of a team",
        goals=("p99_ms < 5000", "missed == 0"),
        basis=(
            "Grafana refreshes no oftener than every 5 s unless told to (min_refresh_interval), and what is older than "
            "the next refresh is of no use; 2 kB are a panel's hundred points"
        ),
        clients=(30,),
        schedule="burst:20/5",
        message_bytes=2_000,
        poll_interval_s=5.0,
        window_s=20.0,
    ),
    Scenario(
        name="notifications",
        purpose="notifications: one every few seconds to all clients with the page open",
        goals=("p99_ms < 10000", "missed == 0"),
        basis=(
            "ten seconds keep a user's attention (Nielsen 1993), which polls every 5 s leave room for; GitHub lets its "
            "clients poll once in 60 s (X-Poll-Interval, docs.github.com/en/rest/activity/notifications)"
        ),
        clients=(200,),
        schedule="poisson:0.4",
        message_bytes=300,
        poll_interval_s=5.0,
        window_s=47.0,
    ),
    Scenario(
        name="scores",
        purpose="live scores: what happens in three football matches, to their spectators",
        goals=("p99_ms < 3000", "missed == 0"),
        basis=(
            "1,675 events a match, one every 3.4 s (Pappalardo et al. 2019, Scientific Data 6:236); Sportradar's live "
            "feeds may be cached for 3 s (developer.sportradar.com/golf, Update Frequencies)"
        ),
        clients=(300,),
        schedule="poisson:0.9",
        message_bytes=500,
        poll_interval_s=3.0,
        window_s=25.0,
    ),
    Scenario(
        name="jobs",
        purpose="job status: queued, running, done, of some twenty jobs that a team watches",
        goals=("p99_ms < 5000", "missed == 0"),
        basis=(
            "gh run watch asks every 3 s (manpage of gh 2.45); three changes of state of twenty jobs of two minutes "
            "each are one in two seconds; a watcher looks again within seconds, not within one"
        ),
        clients=(20,),
        schedule="poisson:0.5",
        message_bytes=300,
        poll_interval_s=3.0,
        window_s=40.0,
    ),
    Scenario(
        name="form",
        purpose="validation of a form: the verdict on the input, while the user still looks at the field",
        goals=("p99_ms < 1000", "missed == 0"),
        basis=(
            "fields are checked half a second after the last key (the 500 ms in the examples of reactive_forms, "
            "pub.dev); a second is what a user's flow of thought bears (Nielsen 1993)"
        ),
        clients=(10,),
        schedule="poisson:2",
        message_bytes=100,
        poll_interval_s=0.5,
        window_s=10.0,
        rtt_ms=(40.0,),
    ),
)

SCENARIOS: Final = {scenario.name: scenario for scenario in _ALL}
