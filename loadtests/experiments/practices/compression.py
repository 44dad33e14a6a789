"""gzip for polls and streams: 20 messages a second of 400 bytes to 50 clients, random text and repetitive JSON."""

from pathlib import Path
from typing import Final

from loadtests.experiments.whole_cells import run_cell
from loadtests.scenario.scenarios import Scenario

ARMS: Final = {"off": False, "on": True}
"""Whether clients accept gzip, and the server sends it."""
CASES: Final = {
    "noise": ("sse", "noise"),
    "json": ("sse", "json"),
    "poll": ("long_polling", "json"),
}
"""Name -> pattern, content of the messages. Each leaves a run folder of its name."""


def measure(arm: str, where: Path, *, quick: bool) -> None:
    """Quick: only the cases of JSON."""
    for name, (pattern, content) in CASES.items():
        if quick and name == "noise":
            continue
        scenario = Scenario(
            name="feed",
            purpose=f"messages of {content}",
            clients=(50,),
            schedule="poisson:20",
            message_bytes=400,
            content=content,
            warmup_s=0.2,
            window_s=0.8 if quick else 3.0,
            drain_s=0.3,
            compress=ARMS[arm],
        )
        run_cell(pattern, scenario, where / name)
