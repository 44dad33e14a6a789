"""The hooks that make Locust a measuring instrument: whom to measure, recording, and an end that loses nothing.

What a master does for that with its workers is in crew.py.
"""

import gc
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import gevent
import msgspec
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.clocks.offset import OffsetInterval
from loadtests.host import machine_limits
from loadtests.locust_ui import delivery_page
from loadtests.locust_ui.crew import Crew
from loadtests.locust_ui.locust_stats import Screen
from loadtests.locust_ui.manual_test import HandDriven
from loadtests.locust_ui.preflight import admit, other_server
from loadtests.locust_ui.self_monitor import Generator
from loadtests.records.clock_watch import EACH_S, ClockWatch
from loadtests.records.manifest import SESSION
from loadtests.records.recorder import FOLDER_VARIABLE, HOST_VARIABLE, recorder
from loadtests.records.rows import USERS_OF_A_PROCESS
from loadtests.runs.run_folder import new_folder
from loadtests.runs.target import Target, WrongServer
from loadtests.scenario.locust_options import LoadOptions, read_options
from loadtests.users.connection import expire_overdue
from loadtests.users.user_settings import session
from servers.settings.served import Served
from servers.settings.setting import settings
from servers.timing.clock import now_ns

if TYPE_CHECKING:
    from loadtests.locust_ui.other_server import OtherServer

log = logging.getLogger("pollbench")

QUIT_S: Final = 0.5
"""How long Locust itself gives a message to its workers before it ends."""
USAGE, UNREACHABLE, INCOMPLETE = 2, 3, 4
USUAL: Final = settings(Served)["schedule"].default
"""What is published into a server that is not ours, which has no schedule of its own."""


class Conductor:
    """One per load process."""

    def __init__(self) -> None:
        self._generator = Generator()
        self._beside: list[gevent.Greenlet] = []
        self._clock: ClockWatch | None = None
        self._crew = Crew()
        self._numbers: tuple[int, int] | None = None
        self._recording = False
        self._by_hand: HandDriven | None = None
        self._other: OtherServer | None = None
        self._silent = ""
        self._page: delivery_page.DeliveryPage | None = None
        self._ended_ns = 0

    def on_init(self, environment: Environment, **_kwargs: Any) -> None:
        machine_limits.raise_open_files()
        self._environment = environment
        runner = environment.runner
        try:
            read_options(vars(environment.parsed_options))
        except ValueError as wrong:
            log.error("%s", wrong)
            raise SystemExit(USAGE) from None
        if isinstance(runner, MasterRunner):
            self._crew.listen(runner)
            log.info("load processes may join at port %s", runner.server.port)
        if isinstance(runner, WorkerRunner):
            runner.register_message("drain", self._on_drain, concurrent=True)
            runner.register_message("numbers", self._on_numbers)
            if host := os.environ.get(HOST_VARIABLE):
                runner.send_message("host", {"name": host})
            log.info("this load process has joined")
        self.screen = Screen(environment)
        self._page = delivery_page.set_up(environment, self.screen) if environment.web_ui else None

    def on_test_start(self, environment: Environment, **_kwargs: Any) -> None:
        """Look who is there, then start to record. Everything wrong ends the test before a user starts."""
        runner = environment.runner
        try:
            users = [] if isinstance(runner, WorkerRunner) else environment.user_classes
            self._name_folder(environment)
            options, target = admit(vars(environment.parsed_options), self._published_at(environment), users)
            offset = target.offset()
            self.screen.ahead_ns = offset.midpoint_ns
            self._prepare(environment, options, target)
            if not isinstance(runner, WorkerRunner):
                self._note(environment, options, target)
        except (ValueError, WrongServer, OSError) as wrong:
            code = UNREACHABLE if isinstance(wrong, WrongServer) else USAGE
            self._by_hand = None
            self._release()
            self._abort(environment, code, str(wrong))
            return
        if isinstance(runner, MasterRunner):
            self._crew.begin(runner)
            gevent.spawn(self._crew.watch, runner, partial(self._abort, environment, INCOMPLETE))
        self.screen.begin(str(self.run_dir), session.joined, self._crew.working, session.states)
        if not isinstance(runner, MasterRunner):
            self._start_recording(environment, target, offset, options)

    def _name_folder(self, environment: Environment) -> None:
        """The master decides; Locust carries its options to the workers when the test starts."""
        parsed = environment.parsed_options
        if not isinstance(environment.runner, WorkerRunner):
            folder = Path(parsed.run_dir).resolve() if parsed.run_dir else new_folder(SESSION).resolve()
            if (folder / "raw").exists() or any(folder.glob("*.parquet")):
                raise ValueError(f"--run-dir {parsed.run_dir} has a test in it already: name another folder")
            parsed.session_dir = str(folder)
        self.run_dir = Path(os.environ.get(FOLDER_VARIABLE) or parsed.session_dir)

    def _published_at(self, environment: Environment) -> str:
        """Return who says what is published: the server, or whoever publishes into one that is not ours."""
        parsed = environment.parsed_options
        if isinstance(environment.runner, WorkerRunner):
            return str(parsed.published_at)
        self._silent = ""
        other = other_server(vars(parsed), environment.host or "", environment.user_classes)
        if other is not None:
            # With it comes pyarrow, a tenth of what it takes to start a load process, and few tests need it.
            from loadtests.locust_ui.other_server import OtherServer

            self._other = OtherServer(self.run_dir, *other)
        parsed.published_at = self._other.host if self._other is not None else environment.host or ""
        return str(parsed.published_at)

    def _release(self) -> None:
        """End what publishes into a server that is not ours."""
        other, self._other = self._other, None
        if other is not None:
            other.stop()

    def _prepare(self, environment: Environment, options: LoadOptions, target: Target) -> None:
        session.host = target.host
        session.http2_host = options.http2_host or target.http2_host
        session.https_host = (options.http2_host or target.https_host) if options.tls else ""
        session.ca = options.ca or target.stats.authority
        via = urlsplit(options.http2_host).netloc
        session.follow(msgspec.structs.replace(target.foreign, via=via) if target.foreign else None)
        session.options = options
        session.restart_numbers(*self._numbers_of(environment.runner))
        if target.fault:
            log.warning("%s is FAULTY ON PURPOSE (%s): it tests the instrument", session.host, target.fault)
        session.seed = Path(environment.parsed_options.session_dir).name

    def _on_numbers(self, environment: Environment, msg: Any, **_kwargs: Any) -> None:  # noqa: ARG002
        self._numbers = msg.data["first"], msg.data["step"]

    def _numbers_of(self, runner: Any) -> tuple[int, int]:
        """Return first number and step of the users that this process starts in a test."""
        if not isinstance(runner, WorkerRunner):
            return 1, 1
        late = (runner.worker_index + 1) * USERS_OF_A_PROCESS, 1
        numbers, self._numbers = self._numbers or late, None
        return numbers

    def _note(self, environment: Environment, options: LoadOptions, target: Target) -> None:
        """Have the server publish, and prepare for a report, unless the program that gave us the folder does that."""
        if self._other is not None:
            options = replace(options, schedule=options.schedule or USUAL)
            target.begin(self._other.roll_call_schedule, options.message_bytes)
        elif options.run_dir:
            target.publish(options.schedule, options.message_bytes)
        else:
            target.begin(options.schedule, options.message_bytes)
        if not options.run_dir:
            labels = {user.pattern: user.facts.label for user in environment.user_classes}
            self._by_hand = HandDriven(self.run_dir, target, options, labels, self._other)
            self._by_hand.start()

    def on_spawning_complete(self, user_count: int, **_kwargs: Any) -> None:  # noqa: ARG002
        if isinstance(self._environment.runner, WorkerRunner):
            return
        users = self._users_now()
        self.screen.shares = shares(users)
        if self.screen.shares:
            log.warning("%s", self.screen.shares)
        if self._by_hand is not None:
            self._by_hand.spawned(users)
        if self._other is not None:
            gevent.spawn(self._call_roll, self._other, users)

    def _call_roll(self, other: "OtherServer", users: Mapping[str, int]) -> None:
        """Let nothing count before every user has heard a message; end a test in which one does not."""
        options = read_options(vars(self._environment.parsed_options))
        try:
            silent = other.silent(users, options)
            if other is not self._other:
                return  # stopped meanwhile
            if not silent:
                if not other.called:
                    other.begin(options.schedule or USUAL)
                if self._by_hand is not None:
                    self._by_hand.begun(other.target)
                return
            self._silent = silent
        except WrongServer as wrong:
            log.error("%s", wrong)
        self._environment.process_exit_code = UNREACHABLE
        runner = self._environment.runner
        gevent.spawn(runner.stop if self._environment.web_ui is not None else runner.quit)

    def on_reset_stats(self, **_kwargs: Any) -> None:
        if self._by_hand is not None:
            self._by_hand.reset()

    def _users_now(self) -> dict[str, int]:
        """Return pattern -> users that are to run."""
        runner = self._environment.runner
        classes = runner.user_classes_by_name
        return {classes[name].pattern: count for name, count in runner.target_user_classes_count.items()}

    def _start_recording(
        self, environment: Environment, target: Target, offset: OffsetInterval, options: LoadOptions
    ) -> None:
        recorder.start(self.run_dir, session.secrets)
        line = target.clock_line(options.clock_host)
        self._clock = ClockWatch(line, target.stats.clock_id, offset, recorder)
        self._clock.look_closely()
        session.ahead_ns = self._clock.ahead_ns
        self.screen.clock_error_ns = self._clock.offset.error_ns
        recorder.observe = self._clock.on_their_clock(self.screen.observe)
        self._recording = True
        # Whatever exists by now lives to the end; each look of the collector through it would stall all users, 20 ms.
        gc.collect()
        gc.freeze()
        self._generator.start()
        self._beside = [gevent.spawn(self._write_each_second, environment)]
        if not self._clock.same:
            self._beside.append(gevent.spawn(ask_on, self._clock))

    def _write_each_second(self, environment: Environment) -> None:
        while True:
            gevent.sleep(1.0)
            expire_overdue(now_ns())
            recorder.sample(self._generator.sample())
            try:
                recorder.write()
                if self._clock is not None and not self._clock.same:
                    self._clock.note()
            except OSError as wrong:
                self._abort(environment, INCOMPLETE, f"cannot record into {self.run_dir}: {wrong.strerror}; make room")
                return

    def on_test_stopping(self, environment: Environment, **_kwargs: Any) -> None:
        """On the master: hold the end until every worker has drained."""
        self._ended_ns = now_ns()
        if not isinstance(environment.runner, MasterRunner):
            return
        self._crew.drain(environment.runner)
        if self._crew.problem:
            environment.process_exit_code = INCOMPLETE
            log.error("%s: this run is incomplete", self._crew.problem)

    def _on_drain(self, environment: Environment, msg: Any, **_kwargs: Any) -> None:  # noqa: ARG002
        runner = environment.runner
        runner.stop()
        runner._send_stats()
        runner.send_message("drained")

    def on_test_stop(self, environment: Environment, **_kwargs: Any) -> None:
        """Without workers: users have ended, so what they recorded is whole."""
        if not isinstance(environment.runner, MasterRunner):
            self._stop_recording()
        self.screen.settle()
        if self._other is not None and self._silent:
            why = self._other.why(self._silent)
            log.error("%s", why)
            self.screen.say(why)
        by_hand, self._by_hand = self._by_hand, None
        if by_hand is not None:
            self._keep(by_hand)
        self._release()

    def _keep(self, by_hand: HandDriven) -> None:
        """Turn what was recorded into a run that can be reported."""
        problems = [self._crew.problem] if self._crew.problem else []
        try:
            by_hand.finish(self._ended_ns, self._users_now(), problems)
        except OSError as wrong:
            log.error("cannot keep the records in %s: %s", by_hand.folder, wrong.strerror)
            return
        if self._page is not None:
            gevent.spawn(self._page.rule)
        log.info("the records are in %s; show them with: pollbench report %s", by_hand.folder, by_hand.folder)

    def _stop_recording(self) -> None:
        if not self._recording:
            return
        self._recording = False
        gevent.killall(self._beside)
        if self._clock is not None:
            self._clock.look_closely()
        recorder.sample(self._generator.sample())
        self._generator.stop()
        recorder.finish()

    def _abort(self, environment: Environment, code: int, problem: str) -> None:
        runner = environment.runner
        if environment.web_ui is None and isinstance(runner, MasterRunner):
            # Left alone, workers would wait a minute for a master that is gone. What they do then is no news.
            runner.send_message("quit")
            gevent.sleep(QUIT_S)
        log.error("%s", problem)
        self.screen.say(problem)
        environment.process_exit_code = code
        if runner is None:
            raise SystemExit(code)
        runner.log_exception("pollbench", problem, "")
        if environment.web_ui is None:
            logging.shutdown()
            os._exit(code)
        gevent.spawn(runner.stop)


def ask_on(clock: ClockWatch) -> None:
    """Ask the publisher's clock until killed."""
    while True:
        gevent.sleep(EACH_S)
        clock.look()


def shares(users: Mapping[str, int]) -> str:
    """Say how users are shared out among patterns where not all have as many; "" where they do."""
    if len(set(users.values())) == 1:
        return ""
    each = ", ".join(f"{count} {pattern}" for pattern, count in sorted(users.items()))
    return (
        f"{sum(users.values())} users do not divide by {len(users)} patterns: {each}; only patterns with as many are "
        "compared"
    )


def listen(events: Any) -> None:
    """Attach a conductor to Locust's events."""
    conductor = Conductor()
    events.init.add_listener(conductor.on_init)
    events.test_start.add_listener(conductor.on_test_start)
    events.test_stopping.add_listener(conductor.on_test_stopping)
    events.test_stop.add_listener(conductor.on_test_stop)
    events.spawning_complete.add_listener(conductor.on_spawning_complete)
    events.reset_stats.add_listener(conductor.on_reset_stats)
