"""Several servers behind nginx with one feed, real users, and misfortunes meanwhile: Redis restarts, a server dies.

Users are Locust's own, with the cursor and the reconnecting of every run, half of them SSE and half long polling: a
stream stays with its server, a long poll asks another one each time. Everything is stopped on return and on error.
"""

import csv
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from loadtests.host.managed_process import Child, ChildFailed
from loadtests.host.nginx import Nginx
from loadtests.host.nginx_config import ProxyOptions
from loadtests.host.redis_server import RedisServer
from loadtests.host.sampler import cpu_ns
from loadtests.probes.reference import Server
from loadtests.records.to_parquet import collect
from loadtests.runs.cell import SPAWNED_LINE
from loadtests.runs.commands import OURS
from loadtests.scenario import plan as cells
from loadtests.scenario.plan import user_class_name
from loadtests.scenario.scenarios import Scenario
from servers.timing.clock import now_ns

PATTERNS: Final = ("sse", "long_polling")
SETTLE_S: Final = 0.5
DRAIN_S: Final = 1.0
RECOVER_S: Final = 20.0
"""A server looks for Redis at least every 2 s, and gives up a silent connection after 3."""
LOOK_S: Final = 0.02


class ClusterFailed(Exception):
    """What was measured is worth nothing, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlan:
    """feed: one of servers.settings.options.FEEDS. away_s: how long Redis is stopped; 0 for never, as with a feed
    in memory.

    death: whether the last server, which does not publish, is killed and started again.
    """

    feed: str
    servers: int
    clients: int
    schedule: str
    calm_s: float
    away_s: float
    death: bool

    @property
    def shared(self) -> bool:
        return self.feed != "memory"


@dataclass(slots=True)
class Left:
    """What a run left. phases: name -> (from_ns, until_ns): calm, away, death; those that there were.

    due_ns: when each published message was due, by id. calm_messages, server_cpu_ns, redis_cpu_ns, backplane_messages:
    of the calm phase. deliveries: the Parquet file of all that users got.
    """

    deliveries: Path
    users: int
    phases: dict[str, tuple[int, int]] = field(default_factory=dict)
    due_ns: dict[int, int] = field(default_factory=dict)
    calm_messages: int = 0
    server_cpu_ns: int = 0
    redis_cpu_ns: int = 0
    backplane_messages: int = 0


def run(plan: ClusterPlan, folder: Path) -> Left:
    """Run it into an empty folder. Raises NotInstalled, ChildFailed, ClusterFailed, WrongServer."""
    with ExitStack() as stack:
        cluster = Cluster(plan, folder, stack)
        left = Left(folder / "deliveries.parquet", plan.clients)
        cluster.publish(plan.schedule)
        with cluster.phase(left, "calm"):
            cluster.watch_calm(left)
        if plan.away_s:
            with cluster.phase(left, "away"):
                cluster.restart_redis()
        if plan.death:
            with cluster.phase(left, "death"):
                cluster.kill_and_replace()
        cluster.publish("manual")
        newest = cluster.servers[0].target.newest_id
        time.sleep(DRAIN_S)
        cluster.stop_load()
    collected = collect(folder, ("requests", "deliveries"))
    if collected.problems:
        raise ClusterFailed("; ".join(collected.problems))
    left.due_ns = journalled(folder / "published.csv")
    if max(left.due_ns, default=0) != newest:
        raise ClusterFailed(f"the journal ends with {max(left.due_ns, default=0)}, the feed with {newest}")
    return left


class Cluster:
    """Redis, servers, nginx and users, running once it is made; the stack ends them."""

    def __init__(self, plan: ClusterPlan, folder: Path, stack: ExitStack) -> None:
        self._plan = plan
        self._folder = folder
        self._stack = stack
        self._token = secrets.token_hex(8)
        self._redis = stack.enter_context(RedisServer(made(folder / "redis"))) if plan.shared else None
        self.servers: list[Server] = []
        for nth in range(plan.servers):
            publishing = ["--journal", folder / "published.csv"] if nth == 0 else ["--no-publish"]
            self.servers.append(self._server(f"server-{nth + 1}", *publishing))
        for server in self.servers:
            server.meet()
        ports = [server.port for server in self.servers]
        nginx = stack.enter_context(Nginx(made(folder / "nginx"), ports, ProxyOptions(buffering=False)))
        self._load = self._users(nginx.url)

    def _server(self, name: str, *options: object) -> Server:
        shared = ["--feed", self._plan.feed, "--redis", self._redis.url] if self._redis else []
        server = Server(self._folder, name, *PATTERNS, *shared, *options, token=self._token)
        self._stack.enter_context(server.child)
        return server

    def _users(self, url: str) -> Child:
        scenario = Scenario(name="scaling", purpose="", clients=(self._plan.clients,), schedule=self._plan.schedule)
        (cell,) = cells.Plan(scenario, PATTERNS[:1], 1).cells()
        command = OURS.load_command(cell, {"--host": url}, self._token, self._folder)
        at = command.index(user_class_name(PATTERNS[0]))
        command[at : at + 1] = map(user_class_name, PATTERNS)
        load = self._stack.enter_context(Child("load", command, self._folder / "load.log"))
        load.heard(SPAWNED_LINE, OURS.ready_s)
        time.sleep(SETTLE_S)
        return load

    def publish(self, schedule: str) -> None:
        self.servers[0].target.publish(schedule, None)

    @contextmanager
    def phase(self, left: Left, name: str) -> Iterator[None]:
        from_ns = now_ns()
        yield
        left.phases[name] = from_ns, now_ns()
        self._load.check()

    def watch_calm(self, left: Left) -> None:
        """Let users be, and note what it costs."""
        before = self._costs()
        time.sleep(self._plan.calm_s)
        after = self._costs()
        left.server_cpu_ns, left.redis_cpu_ns, left.calm_messages, left.backplane_messages = (
            late - early for early, late in zip(before, after, strict=True)
        )

    def _costs(self) -> tuple[int, int, int, int]:
        seen = [server.target.stats for server in self.servers]
        redis = cpu_ns(psutil.Process(self._redis.pid)) if self._redis else 0
        cpu = sum(server.cpu_ns() for server in self.servers)
        return cpu, redis, seen[0].newest_id, sum(each.backplane.messages for each in seen if each.backplane)

    def restart_redis(self) -> None:
        """Stop it in order, as an upgrade does, start it again, and wait until every server has found it."""
        assert self._redis is not None
        self._redis.stop()
        time.sleep(self._plan.away_s)
        self._redis.start()
        self._await_connected(self.servers)
        time.sleep(SETTLE_S)

    def kill_and_replace(self) -> None:
        """Kill the last server without warning, and start another on its port."""
        dying = self.servers[-1]
        dying.child.kill()
        time.sleep(SETTLE_S)
        heir = self._server(f"{dying.child.name}-again", "--no-publish", "--port", dying.port)
        heir.meet()
        self.servers[-1] = heir
        self._await_connected([heir])
        time.sleep(SETTLE_S)

    def _await_connected(self, servers: Sequence[Server]) -> None:
        deadline = time.monotonic() + RECOVER_S
        for server in servers:
            while not ((state := server.target.stats.backplane) and state.connected):
                if time.monotonic() > deadline:
                    raise ClusterFailed(f"{server.child.name} has not found Redis again after {RECOVER_S:g} s")
                time.sleep(LOOK_S)

    def stop_load(self) -> None:
        code = self._load.stop()
        if code != 0:
            raise ChildFailed(f"the load ended with exit code {code}: {self._load.last_words()}")


def journalled(file: Path) -> dict[int, int]:
    with file.open(newline="", encoding="ascii") as journal:
        return {int(row["id"]): int(row["due_ns"]) for row in csv.DictReader(journal)}


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder
