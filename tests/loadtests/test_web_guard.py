"""Locust's web page in the hands of strangers: pages of other origins, names that are not ours, nobody's login."""

import http.client
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.loadtests.load_process import LOCUST, Load, http_host
from tests.server_process import HANG_S, ROOT, ServerProcess, serving

FORM = {"user_count": "2", "spawn_rate": "2", "poll_interval": "0.2"}
CROSS_SITE = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
REBOUND = {"Host": "evil.example:8089"}
EMBEDDED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
READS = [
    "/",
    "/assets/index.js",
    "/stats/requests",
    "/stats/requests/csv",
    "/stats/failures/csv",
    "/stats/report",
    "/exceptions",
    "/exceptions/csv",
    "/tasks",
    "/logs",
    "/login",
    "/worker-count",
    "/pollbench/live",
    "/pollbench/report.html",
    "/pollbench/summary.csv",
    "/pollbench/web/delivery.js",
    "/nothing",
]
CHANGES = [("POST", "/swarm"), ("POST", "/stop"), ("POST", "/stats/reset"), ("POST", "/user"), ("OPTIONS", "/swarm")]


class Web:
    """A Locust with its page on a port that the system chose for it."""

    def __init__(self, load: Load) -> None:
        self.load = load
        load.until(lambda: self._ports() != [], "its page")
        (self.port,) = self._ports()

    def _ports(self) -> list[int]:
        return listening_on(self.load.process.pid, "127.0.0.1")

    def ask(
        self, method: str, path: str, fields: dict[str, str] | None = None, form: dict[str, str] | None = None
    ) -> tuple[int, str, http.client.HTTPMessage]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_S)
        try:
            kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
            connection.request(method, path, urlencode(form) if form else None, kind | (fields or {}))
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()


def listening_on(pid: int, address: str) -> list[int]:
    """Return the TCP ports that a process listens on at an address, and fail for any at another."""
    lines = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    own = [line.split()[3].rpartition(":") for line in lines if f"pid={pid}," in line]
    assert {host for host, _, _ in own} <= {address}, own
    return [int(port) for _, _, port in own]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with serving("--schedule", "steady:20") as process:
        yield process


def web(folder: Path, host: str, *arguments: str) -> Iterator[Web]:
    load = Load(folder / "locust.log", "--web-port", "0", "--host", host, *arguments, cwd=folder)
    try:
        yield Web(load)
    finally:
        load.kill()


@pytest.fixture(scope="module")
def page(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    yield from web(
        tmp_path_factory.mktemp("web"), http_host(server), "ShortPollingUser", "--allow-host", "bench.example"
    )


@pytest.mark.parametrize("who", [CROSS_SITE, REBOUND, EMBEDDED, {"Origin": "null"}], ids=str)
def test_a_stranger_may_neither_read_nor_change_anything(page: Web, who: dict[str, str]) -> None:
    for method, path in [*(("GET", path) for path in READS), *CHANGES]:
        status, text, _ = page.ask(method, path, who, FORM if path == "/swarm" else None)
        assert (status, text.count("\n")) == (403, 1), (method, path, text)
    assert json.loads(page.ask("GET", "/pollbench/live")[1])["phase"] == "none"


def test_programs_our_own_page_and_names_that_are_allowed_are_served(page: Web) -> None:
    own = {"Origin": f"http://127.0.0.1:{page.port}", "Sec-Fetch-Site": "same-origin"}
    allowed = {"Host": "bench.example", "Origin": "https://bench.example"}
    for who in ({}, own, allowed, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}):
        assert page.ask("GET", "/pollbench/live", who)[0] == 200
        assert "delivery.js" in page.ask("GET", "/", who)[1]


def test_the_form_decides_neither_where_is_written_nor_whom_a_worker_trusts(page: Web, tmp_path: Path) -> None:
    for name in ("run_dir", "session_dir", "server_token", "http2_host"):
        status, text, _ = page.ask("POST", "/swarm", form=FORM | {name: str(tmp_path / "elsewhere")})
        assert (status, json.loads(text)["success"]) == (200, False)
        assert f"{name} is not a field of this form" in json.loads(text)["message"]
    assert not (tmp_path / "elsewhere").exists()


def test_with_a_login_nothing_is_told_or_connected_to_before_it(server: ServerProcess, tmp_path: Path) -> None:
    command = [*LOCUST]
    command[command.index("-f") + 1] = str(ROOT / "tests" / "loadtests" / "login_locustfile.py")
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        elsewhere.setblocking(False)
        form = FORM | {"host": f"http://127.0.0.1:{elsewhere.getsockname()[1]}"}
        load = Load(
            tmp_path / "log",
            "--web-login",
            "--web-port",
            "0",
            "--host",
            http_host(server),
            cwd=tmp_path,
            command=command,
        )
        try:
            site = Web(load)
            for method, path in [
                ("POST", "/swarm"),
                *(("GET", path) for path in READS if path.startswith("/pollbench/")),
            ]:
                status, text, headers = site.ask(method, path, form=form if method == "POST" else None)
                assert status == (302 if "/web/" not in path else 200)
                assert status == 200 or "/login" in headers["Location"]
            status, text, headers = site.ask("GET", "/")
            assert (status, "extra_options" in text, "/login" in headers["Location"]) == (302, False, True)
            with pytest.raises(BlockingIOError):
                elsewhere.accept()

            _, _, headers = site.ask("GET", "/enter")
            person = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
            assert "delivery.js" in site.ask("GET", "/", person)[1]
            assert json.loads(site.ask("GET", "/pollbench/live", person)[1])["phase"] == "none"
            refused = site.ask("POST", "/swarm", person, FORM | {"poll_interval": "often"})[1]
            assert "Poll Interval 'often' is not a duration" in json.loads(refused)["message"]
        finally:
            load.kill()


def test_a_master_listens_for_workers_on_this_machine_only_unless_told_otherwise(
    server: ServerProcess, tmp_path: Path
) -> None:
    load = Load(
        tmp_path / "log",
        "--master",
        "--web-port",
        "0",
        "--master-bind-port",
        "0",
        "--host",
        http_host(server),
        cwd=tmp_path,
    )
    try:
        load.until(lambda: len(listening_on(load.process.pid, "127.0.0.1")) == 2, "both ports")
    finally:
        load.kill()


def test_no_documented_command_has_locust_listen_everywhere() -> None:
    texts = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "loadtests" / "locustfile.py"]
    for text in texts:
        assert not re.search(r"--(web|master-bind)-host[ =]['\"]?(\*|0\.0\.0\.0|::)", text.read_text()), text
