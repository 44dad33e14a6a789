"""PURE. Where a run and its load hosts meet: options of both that say how, and change nothing of what is measured."""

import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass
from typing import Final

from loadtests.records.manifest import HOST_NAME
from loadtests.scenario.overrides import with_options
from loadtests.scenario.scenarios import Scenario
from loadtests.scenario.settings import DAY_S, OPTIONS
from servers.settings.setting import RUNNER, check, read, setting, settings
from servers.settings.units import parse_address

USUAL_PORT: Final = 5570
LOCAL: Final = "127.0.0.1"
WAIT_S: Final = 600.0
NAME_FORM: Final = "up to 60 letters, digits and - _ . with a letter or a digit first"


def where(master: str) -> tuple[str, int]:
    """Read HOST[:PORT]. Raises ValueError."""
    if not master:
        raise ValueError("master is missing: say where the run is, as in 10.0.0.1")
    has_port = master.rpartition("]")[2].count(":") == 1
    return parse_address("master", master if has_port else f"{master}:{USUAL_PORT}")


def check_name(name: str) -> None:
    if name and not re.fullmatch(HOST_NAME, name):
        raise ValueError(name)


def with_meeting(command: Callable[..., int]) -> Callable[..., int]:
    """Give a typer command these options. It takes them as one argument, `meeting`."""
    panel = "Load hosts (docs/howto/distributed.md)"
    return with_options(command, "meeting", settings(Meeting), panel, lambda typed: read(Meeting, typed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """The options of a run that --workers needs beside itself. Raises ValueError naming option, value and range."""

    bind: str = setting(
        LOCAL,
        "address or name at which load hosts reach this machine: the server and Locust's master listen there",
        RUNNER,
        metavar="HOST",
    )
    worker_port: int = setting(
        USUAL_PORT, "port at which load hosts join the run; 0 for any free one", RUNNER, low=0, high=65_535
    )
    worker_wait_s: float = setting(
        WAIT_S, "how long a run waits for its load hosts before each cell", RUNNER, low=0, high=DAY_S
    )
    store: str = setting(
        "",
        "where load hosts leave their rows instead of sending them: a folder that all see, or s3://BUCKET/PREFIX",
        RUNNER,
        metavar="PLACE",
    )

    def __post_init__(self) -> None:
        check(self)

    def needed(self, scenario: Scenario) -> None:
        """Raise ValueError for options that would have no effect, as the scenario has no load hosts."""
        for name, each in settings(Meeting).items():
            if not scenario.workers and getattr(self, name) != each.default:
                raise ValueError(
                    f"{each.option} {each.typed(getattr(self, name))} is for load hosts, and this run has none: add "
                    f"{OPTIONS['workers']} N, or leave it out"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """The options of a load host. Raises ValueError naming option, value and range."""

    master: str = setting(
        MISSING,
        f"where the run is: its --bind and --worker-port; HOST alone: port {USUAL_PORT}",
        RUNNER,
        metavar="HOST[:PORT]",
        valid=where,
    )
    name: str = setting(
        "",
        "name of this load host in messages and records; without it, the machine's name",
        RUNNER,
        metavar="NAME",
        valid=check_name,
        form=NAME_FORM,
    )
    wait_s: float = setting(
        WAIT_S, "how long to look for the run, and to wait for one that no longer answers", RUNNER, low=0, high=DAY_S
    )

    def __post_init__(self) -> None:
        check(self)
