"""Every pattern in cleartext and under TLS, and polls that need a handshake each, 20 ms away: 10 messages a second."""

from pathlib import Path
from typing import Final

from loadtests.experiments.whole_cells import run_cell
from loadtests.scenario.scenarios import Scenario

ARMS: Final = {"off": False, "on": True}
"""Whether the connections are encrypted."""
CLIENTS: Final = 40
CASES: Final = {
    "short": ("short_polling", True),
    "new": ("short_polling", False),
    "long": ("long_polling", True),
    "chunked": ("chunked", True),
    "push": ("http2_push", True),
    "sse": ("sse", True),
    "socket": ("websocket", True),
}
"""Name -> pattern, and whether connections are kept. Each leaves a run folder of its name."""
BRIEFLY: Final = ("new", "sse", "push")


def measure(arm: str, where: Path, *, quick: bool) -> None:
    """Quick: only some of the cases."""
    for name, (pattern, keeps) in CASES.items():
        if quick and name not in BRIEFLY:
            continue
        scenario = Scenario(
            name="feed",
            purpose="a feed that many follow",
            clients=(CLIENTS,),
            schedule="poisson:10",
            poll_interval_s=0.5,
            rtt_ms=(20.0,),
            warmup_s=0.2,
            window_s=1.0 if quick else 4.0,
            no_keep_alive=not keeps,
            tls=ARMS[arm],
        )
        run_cell(pattern, scenario, where / name)
