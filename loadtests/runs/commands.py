"""PURE. Which processes a cell consists of, and what each is told."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtests.scenario.plan import PlannedCell, user_class_name
from loadtests.scenario.scenarios import RELAYED
from loadtests.scenario.settings import OPTIONS, SETTINGS, typed
from servers.home import LOCUSTFILE, python
from servers.settings.served import Served
from servers.settings.setting import SERVER, USER, settings, words

ALWAYS_TOLD: Final = {"message_bytes", "hold_timeout_s"}
"""What every server must know (docs/howto/own-server.md); the rest it is told where it is not as usual."""
HOST: Final = "127.0.0.1"
ADAPTER_FILE: Final = "adapter.json"
QUIETLY: Final = ("--headless", "--only-summary")
BACKSTOP_S: Final = 120
"""Locust ends by itself this long after it should have been stopped, even if we are killed and cannot stop it."""
DRAIN_S: Final = 30.0
"""How long load processes may take to hand in what their users received, once told to stop."""


@dataclass(frozen=True, slots=True)
class Programs:
    """How the processes of a cell are started; its own arguments are added behind.

    report, advise: the front door, which alone may ask the reports for something; words are added behind.
    bind: the address of this machine at which all that clients and load processes reach listens.
    ready_s: how long each may take until it says that it is ready. journal_writes: whether the server notes when it
    writes each message to each client, which costs it time.
    """

    server: Sequence[str] = python("servers")
    load: Sequence[str] = python("loadtests.locust_ui.start", "-f", str(LOCUSTFILE))
    outlet: Sequence[str] = python("servers.outlet")
    relay: Sequence[str] = python("servers.relay")
    report: Sequence[str] = python("pollbench", "report")
    advise: Sequence[str] = python("pollbench", "advise")
    race: Sequence[str] = python("servers.race")
    bind: str = HOST
    ready_s: float = 60.0
    journal_writes: bool = False

    def server_command(self, planned: PlannedCell, token: str, folder: Path) -> list[str]:
        scenario = planned.scenario
        options = {
            "--host": self.bind,
            "--port": 0,
            "--http2-port": 0,
            OPTIONS["schedule"]: "manual",
            "--token": token,
            "--journal": folder / "published.csv",
        }
        if scenario.tls:
            options["--https-port"] = 0
        if scenario.fault:
            options["--fault-journal"] = folder / "faults.csv"
        if self.journal_writes:
            options["--write-journal"] = folder / "writes.csv"
        asked = [
            each
            for name, each in settings(Served).items()
            if SERVER in each.who
            and name != "schedule"
            and (name in ALWAYS_TOLD or getattr(scenario, name) != each.default)
        ]
        server = shlex.split(scenario.server) or self.server
        return [*server, planned.pattern, *_flat(options), *words(scenario, asked), "--announce-json"]

    def outlet_command(self, planned: PlannedCell, url: str, token: str, folder: Path) -> list[str]:
        scenario = planned.scenario
        told = {"--message-bytes": scenario.message_bytes, "--content": scenario.content}
        return [*self.outlet_command_of(url, token, folder), *_flat(told)]

    def outlet_command_of(self, url: str, token: str, folder: Path) -> list[str]:
        """token: also the name of the run. The adapter is in the folder."""
        options = {
            "--host": self.bind,
            "--adapter": folder / ADAPTER_FILE,
            "--url": url,
            "--run": token,
            "--token": token,
            "--journal": folder / "published.csv",
            "--accepted": folder / "accepted.csv",
        }
        return [*self.outlet, *_flat(options)]

    def relay_command(self, planned: PlannedCell, to: str) -> list[str]:
        """to: host:port of whom clients are to reach."""
        scenario = planned.scenario
        options = {"--host": self.bind, "--to": to, OPTIONS["rtt_ms"]: typed("rtt_ms", (planned.rtt_ms,))}
        shaped = words(scenario, (SETTINGS[name] for name in RELAYED))
        return [*self.relay, *_flat(options), *shaped, "--announce-json"]

    def load_command(self, planned: PlannedCell, hosts: Mapping[str, str], token: str, folder: Path) -> list[str]:
        """hosts: --host, and --http2-host where users go elsewhere than to what the server says of itself.

        Where several processes share the clients, this is the one that shares them out, at a port of its choice.
        """
        scenario = planned.scenario
        options = {
            "--users": planned.clients,
            "--spawn-rate": scenario.spawn_per_s,
            "--run-time": f"{int(scenario.load_s(planned.clients, planned.rtt_ms)) + BACKSTOP_S}s",
            **hosts,
            "--server-token": token,
            "--run-dir": folder,
            "--exit-code-on-error": 0,
        }
        asked = words(scenario, (each for each in SETTINGS.values() if USER in each.who))
        bind = _bracketed(self.bind)
        sharing = {"--master-bind-host": bind, "--master-bind-port": 0, "--expect-workers": scenario.loads}
        shared = ["--master", *_flat(sharing)] if scenario.loads > 1 or scenario.workers else []
        return [*self.load, user_class_name(planned.pattern), *QUIETLY, *shared, *asked, *_flat(options)]

    def worker_command(self, pattern: str, host: str, port: int) -> list[str]:
        """Return what drives a share of the clients: the process that listens there tells it everything."""
        options = {"--master-host": _bracketed(host), "--master-port": port, "--exit-code-on-error": 0}
        return [*self.load, user_class_name(pattern), *QUIETLY, "--worker", *_flat(options)]


OURS: Final = Programs()


def _bracketed(host: str) -> str:
    """Return a host as Locust puts it before a port."""
    return f"[{host}]" if ":" in host else host


def _flat(options: Mapping[str, object]) -> list[str]:
    return [str(word) for pair in options.items() for word in pair]
