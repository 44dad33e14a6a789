"""The hooks that make Locust a measuring instrument: whom to measure, recording, and an end that loses nothing.

Locust gives workers half a second when it quits (runners.py, MasterRunner.quit), which costs a short run half its
samples. So the master first sends `drain`; each worker stops its users, writes its rows, and answers `drained`; only
then does the master go on. A worker that does not answer fails the run.
"""

import gc
import logging
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from loadtests import limits, screen
from loadtests.generator import Generator
from loadtests.options import LoadOptions, read_options
from loadtests.recorder import recorder
from loadtests.session import session
from loadtests.target import Target, WrongServer
from loadtests.transport import expire_overdue
from servers.clock import now_ns

log = logging.getLogger("pollbench")

DRAIN_S: Final = 30.0
QUIT_S: Final = 0.5
"""How long Locust itself gives a message to its workers before it ends."""
USAGE, UNREACHABLE, INCOMPLETE = 2, 3, 4


class Conductor:
    """One per load process."""

    def __init__(self) -> None:
        self._generator = Generator()
        self._writer: gevent.Greenlet | None = None
        self._drained: set[str] = set()
        self._all_drained = Event()
        self._working: set[str] = set()
        self._recording = False

    def on_init(self, environment: Environment, **_kwargs: Any) -> None:
        limits.raise_open_files()
        runner = environment.runner
        try:
            read_options(vars(environment.parsed_options))
        except ValueError as wrong:
            log.error("%s", wrong)
            raise SystemExit(USAGE) from None
        if isinstance(runner, MasterRunner):
            runner.register_message("drained", self._on_drained)
        if isinstance(runner, WorkerRunner):
            runner.register_message("drain", self._on_drain, concurrent=True)
        screen.set_up(environment)

    def on_test_start(self, environment: Environment, **_kwargs: Any) -> None:
        """Look who is there, then start to record. Everything wrong ends the test before a user starts."""
        runner = environment.runner
        try:
            options = read_options(vars(environment.parsed_options))
            target = Target(environment.host or "", options.server_token)
            self._prepare(environment, options, target)
            if not isinstance(runner, WorkerRunner):
                check_http2(environment)
                target.publish(options.schedule, options.message_bytes)
        except (ValueError, WrongServer, OSError) as wrong:
            code = UNREACHABLE if isinstance(wrong, WrongServer) else USAGE
            self._abort(environment, code, str(wrong))
            return
        if isinstance(runner, MasterRunner):
            self._drained.clear()
            self._all_drained.clear()
            self._working = {client.id for client in runner.clients.all}
        else:
            self._start_recording(environment)

    def _prepare(self, environment: Environment, options: LoadOptions, target: Target) -> None:
        session.host = (environment.host or "").rstrip("/")
        session.http2_host = options.http2_host or target.http2_host
        session.poll_interval_s, session.poll_pace = options.poll_interval_s, options.poll_pace
        session.hold_timeout_s, session.one_per_response = options.hold_timeout_s, options.one_per_response
        session.join_id = target.newest_id if options.join_at == "newest" else 0
        session.worker_index = environment.runner.worker_index if isinstance(environment.runner, WorkerRunner) else 0
        session.restart_numbers()
        parsed = environment.parsed_options
        if not isinstance(environment.runner, WorkerRunner):
            # The master decides; Locust carries its options to the workers when the test starts.
            parsed.session_dir = str(Path(options.run_dir or f"runs/{stamp()}-session").resolve())
        self.run_dir = Path(parsed.session_dir)
        session.seed = self.run_dir.name

    def _start_recording(self, environment: Environment) -> None:
        recorder.start(self.run_dir)
        recorder.observe = screen.observer(environment)
        self._recording = True
        # Whatever exists by now lives to the end; each look of the collector through it would stall all users, 20 ms.
        gc.collect()
        gc.freeze()
        self._generator.start()
        self._writer = gevent.spawn(self._write_each_second, environment)

    def _write_each_second(self, environment: Environment) -> None:
        while True:
            gevent.sleep(1.0)
            expire_overdue(now_ns())
            recorder.sample(self._generator.sample())
            try:
                recorder.write()
            except OSError as wrong:
                self._abort(environment, INCOMPLETE, f"cannot record into {self.run_dir}: {wrong.strerror}; make room")
                return

    def on_test_stopping(self, environment: Environment, **_kwargs: Any) -> None:
        """On the master: hold the end until every worker has drained."""
        runner = environment.runner
        if not isinstance(runner, MasterRunner) or not self._working:
            return
        runner.send_message("drain")
        missing = self._await_drained(runner)
        if missing:
            environment.process_exit_code = INCOMPLETE
            log.error(
                "%d of %d workers did not hand in their samples: this run is incomplete", missing, len(self._working)
            )
        self._working = set()

    def _await_drained(self, runner: MasterRunner) -> int:
        """Return how many workers did not answer: at most DRAIN_S for those alive, no time for those gone."""
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline:
            alive = {client.id for client in runner.clients.all if client.state != STATE_MISSING}
            if not (self._working & alive) - self._drained:
                break
            self._all_drained.wait(0.2)
            self._all_drained.clear()
        return len(self._working - self._drained)

    def _on_drained(self, environment: Environment, msg: Any, **_kwargs: Any) -> None:  # noqa: ARG002
        self._drained.add(msg.node_id)
        self._all_drained.set()

    def _on_drain(self, environment: Environment, msg: Any, **_kwargs: Any) -> None:  # noqa: ARG002
        runner = environment.runner
        runner.stop()
        runner._send_stats()
        runner.send_message("drained")

    def on_test_stop(self, environment: Environment, **_kwargs: Any) -> None:
        """Without workers: users have ended, so what they recorded is whole."""
        if not isinstance(environment.runner, MasterRunner):
            self._stop_recording()
        if not isinstance(environment.runner, WorkerRunner):
            self._keep(environment)

    def _keep(self, environment: Environment) -> None:
        """Turn the rows of a session driven by hand into Parquet, in a process of its own: pyarrow would stall us."""
        if vars(environment.parsed_options)["run_dir"] or not (self.run_dir / "raw").exists():
            return
        subprocess.run([sys.executable, "-m", "loadtests.collect", str(self.run_dir)], check=False)  # noqa: S603
        log.info("what was recorded is in %s", self.run_dir)

    def _stop_recording(self) -> None:
        if not self._recording:
            return
        self._recording = False
        if self._writer is not None:
            self._writer.kill()
        recorder.sample(self._generator.sample())
        self._generator.stop()
        recorder.finish()

    def _abort(self, environment: Environment, code: int, problem: str) -> None:
        log.error("%s", problem)
        environment.process_exit_code = code
        runner = environment.runner
        if runner is None:
            raise SystemExit(code)
        runner.log_exception("pollbench", problem, "")
        if environment.web_ui is None:
            if isinstance(runner, MasterRunner):
                # Left alone, workers would wait a minute for a master that is gone.
                runner.send_message("quit")
                gevent.sleep(QUIT_S)
            logging.shutdown()
            os._exit(code)
        gevent.spawn(runner.stop)


def check_http2(environment: Environment) -> None:
    """Raise WrongServer when a chosen user needs the HTTP/2 port of a server that has none."""
    needing = [chosen.__name__ for chosen in environment.user_classes if getattr(chosen, "http2", False)]
    if needing and not session.http2_host:
        raise WrongServer(
            f"{session.host} serves no HTTP/2, which {', '.join(needing)} needs; have it serve http2_push, "
            "or choose other users"
        )


def stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")


def listen(events: Any) -> None:
    """Attach a conductor to Locust's events."""
    conductor = Conductor()
    events.init.add_listener(conductor.on_init)
    events.test_start.add_listener(conductor.on_test_start)
    events.test_stopping.add_listener(conductor.on_test_stopping)
    events.test_stop.add_listener(conductor.on_test_stop)
