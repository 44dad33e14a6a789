"""PURE. Named scenarios: how many clients wait for what, and what each scenario is for."""

from dataclasses import dataclass
from typing import Final

from loadtests.scenario.poll_timing import parse_pace
from loadtests.scenario.settings import OPTIONS, RELAY, SETTINGS, Settings, schedules

ONE_PROCESS: Final = "1 with --fault, or with a server that is not ours"
RELAYED: Final = ("jitter_ms", "bandwidth_bits_per_s")
"""What only a relay can do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(Settings):
    """One situation to measure. A cell is pattern x scenario x client count x round trip x message rate x repeat.

    target: what was typed to name a server that is not ours, "" for none; adapter: what came of it, as JSON
    (loadtests/foreign/spec.py).
    """

    name: str
    purpose: str
    target: str = ""
    adapter: str = ""

    def check_planned(self) -> None:
        """Raise ValueError for what may be found, or asked for by hand, but cannot be planned."""
        relayed = f"left out, or --network {RELAY} chosen: only the relay can do it"
        heard = not self.silence_timeout_s or self.heartbeat_s < self.silence_timeout_s
        for name, good, remedy in [
            ("schedule", all(self.schedules), "a schedule that publishes"),
            ("poll_interval_s", self.poll_interval_s > 0, "more than 0, at most 3600 s"),
            # Without heartbeats it cannot be known how long a healthy stream is silent, so any limit may be meant.
            ("silence_timeout_s", heard, f"0 (never) or more than {OPTIONS['heartbeat_s']}, to 3600 s"),
            ("server_processes", self.server_processes == 1 or not (self.fault or self.adapter), ONE_PROCESS),
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
        return self.load_processes or 1


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
        purpose="alarms: nothing, then 20 messages at once, every 2 seconds",
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
)

SCENARIOS: Final = {scenario.name: scenario for scenario in _ALL}
