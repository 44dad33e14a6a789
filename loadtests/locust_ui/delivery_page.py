"""What Locust's web page gets from us: the Delivery tab, a form that refuses wrong values, final figures, downloads.

Locust's page renders whatever element an extended tab names as its component, so our tab is a custom element of our own
(loadtests/locust_ui/web/delivery.js), and nothing of Locust's page is changed but two script tags at its end.
"""

import json
import re
import subprocess
from csv import DictWriter
from io import StringIO
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Response, jsonify, make_response, request, send_file
from gevent.lock import BoundedSemaphore
from locust.env import Environment
from locust.runners import (
    STATE_CLEANUP,
    STATE_INIT,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
)

from loadtests.foreign.choose import choose, powers_of
from loadtests.live.chart_points import ChartPoints
from loadtests.live.live_checks import LiveVerdict, judge
from loadtests.locust_ui.advice_cell import advice, refused
from loadtests.locust_ui.locust_stats import Screen
from loadtests.locust_ui.preflight import admit, other_server
from loadtests.locust_ui.web_guard import ask_first, guard
from loadtests.runs.commands import OURS
from loadtests.runs.target import WrongServer
from loadtests.scenario.asked import Asked
from loadtests.scenario.locust_options import TOLD, read_options
from servers.palette import colours_of
from servers.patterns import facts, names
from servers.targets.adapter import SUBSCRIPTIONS, Adapter, Cost

TABLE: Final = "delivery.csv"
FILES: Final = {"report.html": "HTML report", TABLE: "this table as CSV", "summary.csv": "all figures as CSV"}
NOT_IN_TABLE: Final = "colour"
"""What a row has for the page alone."""
CONFLICT: Final = 409
FORM: Final = b"templateArgs"
"""What the page has, and a redirect or a login page does not have."""
HIDDEN: Final = ("run_dir", "session_dir", "published_at", "server_token", "http2_host", "agent")
"""Options that are not in the form: they belong to the command line that starts Locust."""


def set_up(environment: Environment, screen: Screen) -> "DeliveryPage":
    """Add our tab, our downloads and our checks to the web UI of this process."""
    page = DeliveryPage(environment, screen)
    web_ui = environment.web_ui
    base = f"{environment.parsed_options.web_base_path or ''}/pollbench"
    guard(web_ui.app, environment.parsed_options.web_host, environment.parsed_options.allow_host)
    blueprint = Blueprint("pollbench", __name__, url_prefix=base, static_folder="web", static_url_path="/web")
    blueprint.add_url_rule("/advice", view_func=web_ui.auth_required_if_enabled(page.advice))
    blueprint.add_url_rule("/live", view_func=web_ui.auth_required_if_enabled(page.live))
    blueprint.add_url_rule(f"/<any({','.join(FILES)}):name>", view_func=web_ui.auth_required_if_enabled(page.file))
    web_ui.app.register_blueprint(blueprint)
    ask_first(web_ui, "locust.swarm", page.check_form)
    web_ui.app.after_request(page.complete)
    web_ui.template_args.update(
        extended_tabs=[{"title": "Delivery", "key": "delivery", "component": "pollbench-delivery"}],
        extended_csv_files=[
            {"href": f"./pollbench/{name}", "title": f"Download {title.replace('this', 'the Delivery')} of the run"}
            for name, title in FILES.items()
        ],
    )
    return page


def _ruling_in(folder: Path) -> LiveVerdict:
    """Read the verdict of a run's report."""
    ruling = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    doubts = [caution["what"] for caution in ruling["cautions"] if caution["severity"] != "note"]
    return LiveVerdict(ruling["verdict"], tuple(doubts))


def in_words_of_the_form(problem: str) -> str:
    """Call options what the form calls them: --poll-interval is Poll Interval there."""

    def named(option: re.Match[str]) -> str:
        dest = option[1].replace("-", "_")
        return dest.replace("_", " ").title() if dest in TOLD and dest not in HIDDEN else option[0]

    return re.sub(r"--([a-z0-9-]+)", named, problem)


class DeliveryPage:
    """Answers what the page asks. One per web UI."""

    def __init__(self, environment: Environment, screen: Screen) -> None:
        self._environment = environment
        self._screen = screen
        self._labels = {name: facts(name).label for name in names()}
        self._points = ChartPoints()
        self._reporting = BoundedSemaphore()
        self._ruled: tuple[str, LiveVerdict] | None = None
        self._unreportable: tuple[str, str] | None = None
        self._reported: dict[str, Path] = {}
        self._started_with = dict(vars(environment.parsed_options)), environment.host or ""

    # The Delivery tab

    def live(self) -> Response:
        """Answer with the table, and with the points of the charts that the page does not have yet."""
        screen, board = self._screen, self._screen.board
        scale = f"{board.run} {board.from_s} {board.width_s}"
        after = request.args.get("after", 0, int) if request.args.get("scale") == scale else 0
        until_s = board.complete_until_s(screen.lost, settled=screen.settled)
        number, problem = screen.problem
        return jsonify(
            scale=scale,
            from_s=board.from_s,
            width_s=board.width_s,
            run=Path(board.run).name,
            shares=screen.shares,
            ruled=self._ruling is not None,
            phase=self._phase(),
            downloads=[
                {"name": name, "title": title, "problem": self._problem_with(name)} for name, title in FILES.items()
            ],
            before=self._before,
            problem={"number": number, "text": problem},
            elapsed_s=max(0, until_s - board.from_s),
            workers={"lost": len(screen.lost), "all": screen.health.workers},
            rows=self._rows(until_s),
            points={
                pattern: self._points.of(pattern, timeline, scale, after, until_s // board.width_s)
                for pattern, timeline in sorted(board.patterns.items())
            },
        )

    def _rows(self, until_s: int) -> list[dict[str, Any]]:
        board, health = self._screen.board, self._screen.health
        colours = colours_of(sorted(board.patterns))
        rows: list[dict[str, Any]] = []
        for pattern, timeline in sorted(board.patterns.items()):
            total, colour = timeline.total, colours[pattern]
            judgement = self._ruling or judge(pattern, total, health)
            rows.append(
                {
                    "pattern": pattern,
                    "label": self._labels.get(pattern, pattern),
                    "colour": {"light": colour.line, "text": colour.text, "dark": colour.dark},
                    "p50_ms": total.quantile_ms(0.50),
                    "p99_ms": total.quantile_ms(0.99),
                    "rate_per_s": timeline.rate_per_s(board.from_s, until_s),
                    "empty_ratio": total.empty_ratio,
                    "bytes": total.bytes_per_delivery,
                    "deliveries": total.deliveries,
                    "missed": total.missed,
                    "duplicated": total.duplicated,
                    "lag_ms": health.lag_ms,
                    "errors": total.errors,
                    "verdict": judgement.verdict,
                    "reasons": judgement.reasons,
                }
            )
        return rows

    @property
    def _ruling(self) -> LiveVerdict | None:
        """The verdict of the report on the test that the board shows, None while there is none."""
        run, judgement = self._ruled or ("", None)
        return judgement if run == self._screen.board.run else None

    def rule(self) -> None:
        """Have the report made of a test that has ended, and show its verdict from then on: there is one judge."""
        folder = Path(self._screen.board.run)
        problem = self._folder_problem() or self._report(folder)
        if problem:
            self._unreportable = (str(folder), problem)
        else:
            self._reported[folder.name] = folder
        self._ruled = (str(folder), LiveVerdict("INVALID", (problem,)) if problem else _ruling_in(folder))

    @property
    def _before(self) -> str:
        """Name the test before this one, whose report can still be had; "" for none."""
        return next((name for name in reversed(self._reported) if name != Path(self._screen.board.run).name), "")

    def _phase(self) -> str:
        """Return "none" before the first test, "running" while there is more to come, "stopped" when all is final."""
        if not self._screen.board.run:
            return "none"
        return "stopped" if self._screen.settled else "running"

    def advice(self) -> Response:
        """Answer for a load that was not measured, once nothing is measured any more that this would disturb."""
        return refused("the test is still running: stop it first", CONFLICT) if self._phase() == "running" else advice()

    # The start form

    def check_form(self) -> Response | None:
        """Refuse, in the form, what would end the test; let anything else pass."""
        environment = self._environment
        given = {**vars(environment.parsed_options), **request.form.to_dict()}
        host = request.form.get("host", environment.host or "")
        state = environment.runner.state
        alien = next((name for name in HIDDEN if name in request.form), "")
        running = state in {STATE_SPAWNING, STATE_RUNNING}
        if alien:
            problem = f"{alien} is not a field of this form: give it when you start Locust"
        elif state in {STATE_CLEANUP, STATE_STOPPING} or not (running or self._screen.settled):
            problem = "the previous test is still ending: try again in a moment"
        else:
            problem = self._unchangeable(given, host) if running else self._inadmissible(given, host)
        if not problem:
            return None
        problem = in_words_of_the_form(problem)
        if running:
            self._screen.say(problem)  # the dialog has closed by then
        return jsonify({"success": False, "message": problem, "host": environment.host})

    def _inadmissible(self, given: dict[str, Any], host: str) -> str:
        chosen = request.form.getlist("user_classes")
        offered = self._environment.available_user_classes or self._environment.user_classes_by_name
        users = [user for name, user in offered.items() if not chosen or name in chosen]
        try:
            other = other_server(given, host, users)
            if other is None:
                admit(given, host, users)
            elif more := powers_of(other[1].adapter) - self._powers():
                return (
                    f"{min(more)} is not for a form, as nobody knows who sends it: name the server with --target, "
                    "--publish or --set when you start Locust"
                )
        except (ValueError, WrongServer, OSError) as wrong:
            return str(wrong)
        return ""

    def _powers(self) -> set[str]:
        """Return what the server may make us do that Locust was started with."""
        given, host = self._started_with
        options = read_options(given)
        asked = options.asked(host)
        own = powers_of(choose(asked, SUBSCRIPTIONS).adapter) if asked != Asked() else set()
        return own | powers_of(Adapter(cost=Cost(agent=options.agent)))

    def _unchangeable(self, given: dict[str, Any], host: str) -> str:
        """Users may come and go while a test runs; an option that changed would not reach those who run."""
        try:
            same = read_options(given) == read_options(vars(self._environment.parsed_options))
        except ValueError as wrong:
            return str(wrong)
        if same and host == self._environment.host:
            return ""
        return "while a test runs, only the number of users can be changed: stop it, and start another"

    # What Locust answers, completed

    def complete(self, response: Response) -> Response:
        if request.endpoint == "locust.index" and not response.direct_passthrough and FORM in response.get_data():
            return self._with_script(response)
        if request.endpoint == "locust.request_stats" and response.is_json:
            return self._until_final(response)
        if request.endpoint == "locust.swarm" and response.is_json and response.get_json().get("success"):
            self._screen.awaited = self._will_begin()
        if request.endpoint == "locust.stop":
            self._screen.awaited = False
        return response

    def _will_begin(self) -> bool:
        """Whether a test begins with what Locust has just accepted: without workers it only says so in its log."""
        runner = self._environment.runner
        running = runner.state in {STATE_SPAWNING, STATE_RUNNING}
        return not running and (not isinstance(runner, MasterRunner) or runner.worker_count > 0)

    def _with_script(self, response: Response) -> Response:
        """Load our element, and have the form show the options in force: after a reload Locust shows the defaults."""
        options = vars(self._environment.parsed_options)
        now = json.dumps({name: options[name] for name in TOLD if name in options}).replace("<", "\\u003c")
        script = (
            f"<script>for (const [name, value] of Object.entries({now}))"
            " if (templateArgs.extra_options[name]) templateArgs.extra_options[name].default_value = value</script>"
            '<script type="module" src="./pollbench/web/delivery.js"></script>'
        )
        body = response.get_data(as_text=True).replace("</body>", f"{script}</body>")
        return self._replaced(response, body)

    def _until_final(self, response: Response) -> Response:
        """Have the page ask on until its figures are final: it stops asking with the first state that is not running.

        So it would also when it asks before a test that it was told of has begun, and show the form again.
        Locust remembers its answer for two seconds and gives it again, so it is not changed in place.
        """
        answer = response.get_json()
        stopping = answer["state"] in {STATE_CLEANUP, STATE_STOPPING}
        waiting = self._screen.awaited or not self._screen.settled
        if stopping or (answer["state"] in {STATE_INIT, STATE_STOPPED} and waiting):
            self._environment.web_ui.app.view_functions["locust.request_stats"].clear_cache()
            return self._replaced(response, json.dumps(answer | {"state": STATE_RUNNING}))
        return response

    @staticmethod
    def _replaced(response: Response, body: str) -> Response:
        return make_response(body, response.status_code, {"Content-Type": response.content_type})

    # Downloads

    def file(self, name: str) -> Response:
        """Send the report, its table, or the page's; of the test that `run` names, if that has a report."""
        folder = self._reported.get(request.args.get("run", ""), Path(self._screen.board.run))
        problem = "" if folder.name in self._reported else self._problem_with(name)
        if not problem and name == TABLE:
            sent = make_response(self._table(), {"Content-Type": "text/csv; charset=utf-8"})
            sent.headers["Content-Disposition"] = f"attachment; filename={folder.name}-{name}"
            return sent
        problem = problem or self._report(folder)
        if problem:
            return make_response(problem, CONFLICT, {"Content-Type": "text/plain; charset=utf-8"})
        return send_file(folder / name, as_attachment=True, download_name=f"{folder.name}-{name}")

    def _table(self) -> str:
        """Return the rows of the tab, unrounded."""
        rows = self._rows(self._screen.board.complete_until_s(self._screen.lost, settled=True))
        shown = [{name: value for name, value in row.items() if name != NOT_IN_TABLE} for row in rows]
        text = StringIO()
        table = DictWriter(text, shown[0] if shown else (), lineterminator="\n")
        table.writeheader()
        table.writerows(row | {"reasons": "; ".join(row["reasons"])} for row in shown)
        return text.getvalue()

    def _problem_with(self, name: str) -> str:
        """Say why a file of the newest test cannot be had, "" where it can. Figures there are however short it was."""
        run, problem = self._unreportable or ("", "")
        return self._folder_problem() or (problem if name != TABLE and run == self._screen.board.run else "")

    def _folder_problem(self) -> str:
        folder = Path(self._screen.board.run)
        if not self._screen.board.run:
            return "nothing has been recorded yet: start a test first"
        if not self._screen.settled:
            return "the test is still running: stop it first"
        # Its cells are sealed, together with run.json, after that is there.
        if not (folder / "run.json").is_file() or not all(
            (cell / "cell.json").is_file() for cell in folder.glob("cells/*")
        ):
            if (folder / "published.csv").is_file():
                return "the records are being collected: try again in a moment"
            return f"{folder} is not a run that can be reported: it was recorded for another program (--run-dir)"
        return ""

    def _report(self, folder: Path) -> str:
        """Make the report unless it is there; return what went wrong, "" for nothing."""
        with self._reporting:
            if (folder / "report.html").is_file():
                return ""
            command = [*OURS.report, str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        return "" if done.returncode == 0 else done.stderr.strip() or f"{command} ended with {done.returncode}"
