"""The agent on a server's host: what it tells, to whom, and what a run says of one that does not do its part."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import pollbench
from loadtests.agent.client import AgentFailed, AgentLook, agent_look
from loadtests.agent.messages import TOKEN, CostSeen, Question, question_of
from loadtests.agent.sight import QUESTIONS_MAX, Gone, Sight
from loadtests.clocks.line import ClockLine, first_offset
from loadtests.clocks.offset import ClockExchange
from loadtests.foreign.choose import choose, powers_of
from loadtests.host.sampler import LINUX
from loadtests.scenario.asked import Asked
from reports.commands.exits import FAILED
from servers.targets.adapter import Cost
from servers.timing.clock import clock_id, now_ns
from servers.web.urls import read_url
from tests.clocks.test_line import telling
from tests.server_process import HANG_S, ROOT, ServerProcess
from tests.targets.test_costs import LISTENS, running
from tests.targets.test_run import BRIEF, PUBLISH, cell_of, command, foreign

linux_only = pytest.mark.skipif(not LINUX, reason="only Linux tells")
SECRET = "a-secret-of-the-tests"
ASKED = Question(asked_by="tests", pid=os.getpid())


@contextmanager
def agent_with(token: str | None) -> Iterator[tuple[str, str]]:
    """Run an agent; give its URL and all that it said first."""
    env = {name: value for name, value in os.environ.items() if name != TOKEN} | ({TOKEN: token} if token else {})
    line = [sys.executable, str(ROOT / "pollbench.py"), "agent", "--port", "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        said = process.stdout.readline() + ("" if token else process.stdout.readline())
        try:
            yield said.rpartition("agent at ")[2].partition(";")[0], said
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=HANG_S)
    assert (process.returncode, errors) == (0, "")


@pytest.fixture(scope="module")
def agent() -> Iterator[str]:
    with agent_with(SECRET) as (url, _):
        yield url


def get(url: str, token: str = SECRET, method: str = "GET") -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=HANG_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_who_has_the_token_is_told_the_time(agent: str) -> None:
    line = ClockLine(read_url(agent, "--agent"), headers=f"Authorization: Bearer {SECRET}\r\n")
    name, offset = first_offset(line)
    line.close()
    assert name == clock_id()
    assert offset.low_ns <= 0 <= offset.high_ns


@pytest.mark.parametrize(
    "token", ["", "another-secret-of-16", SECRET + "x", "\N{LATIN SMALL LETTER E WITH ACUTE}" * 20]
)
def test_who_has_not_is_told_nothing(agent: str, token: str) -> None:
    for path in ("/clock", f"/cost?{ASKED.query()}", "/nothing"):
        status, told = get(agent + path, token.encode().decode("latin-1"))
        assert (status, list(told)) == (401, ["error"])


def test_nothing_can_be_changed_and_what_there_is_is_named(agent: str) -> None:
    assert get(f"{agent}/cost?{ASKED.query()}", method="DELETE")[0] == 405
    assert get(f"{agent}/") == (404, {"error": "GET /: Not Found; there are GET /clock, GET /cost"})


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "ask with ?asked_by=NAME&port=PORT"),
        ("asked_by=a", "say whose cost is meant"),
        ("asked_by=a&port=70000", "65535"),
        ("asked_by=a&port=x", "Expected `int`"),
        ("asked_by=../a&port=1", "asked_by"),
        ("asked_by=a&port=1&command=rm", "command: it is asked for twice, or nothing that there is"),
        ("asked_by=a&port=1&port=2", "port: it is asked for twice"),
        ("asked_by=a&cgroup=../../..", "cgroup"),
        ("asked_by=a&" + "&".join(["also=x"] * 30), "the query is none"),
    ],
)
def test_a_question_that_is_none_is_refused_by_field(agent: str, query: str, why: str) -> None:
    status, told = get(f"{agent}/cost?{query}")
    assert (status, why in str(told["error"])) == (400, True), told


@linux_only
def test_a_server_is_found_by_its_port_and_its_rows_are_those_of_a_look_from_here(agent: str) -> None:
    with running(LISTENS) as (pid, port):
        look = AgentLook(agent, SECRET, Question(asked_by="tests", port=int(port)))
        before_ns = now_ns()
        rows = look.sample()
        assert [(row.pid, row.role) for row in rows] == [(pid, 0)]
        assert before_ns - 50_000_000 <= rows[0].at_ns <= now_ns() + 50_000_000
        assert rows[0].rss_bytes > 0
        assert f"that of who listens on port {port} (python" in look.known
        assert f"as the agent at {agent} sees it" in look.known
        again = look.sample()
        assert again[0].cpu_ns >= rows[0].cpu_ns
    with pytest.raises(AgentFailed, match=f"the agent at {agent}: process {pid} is gone"):
        look.sample()


def test_a_port_where_nobody_listens_is_not_measured_and_a_name_that_nobody_has_is_an_error(agent: str) -> None:
    look = AgentLook(agent, SECRET, Question(asked_by="tests", port=1))
    assert look.sample() == []
    assert look.known.startswith("not measured, as no process is seen here that listens on port 1")
    with pytest.raises(AgentFailed, match=r"cost.also 'nobody-is-called-so': no process is called so"):
        AgentLook(agent, SECRET, Question(asked_by="tests", port=1, also=["nobody-is-called-so"])).sample()


def test_a_run_says_what_is_wrong_with_its_agent_and_what_to_do(agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AgentFailed, match=f"does not take our token: set {TOKEN} to the one that it has"):
        AgentLook(agent, "another-secret-of-16", ASKED).sample()
    with pytest.raises(AgentFailed, match=r"cannot be reached .*; start it on the server's host: pollbench agent"):
        AgentLook("http://127.0.0.1:1", SECRET, ASKED).sample()
    monkeypatch.delenv(TOKEN, raising=False)
    with pytest.raises(AgentFailed, match=f"needs a token: set {TOKEN}"):
        agent_look(Cost(agent=agent), 80)
    monkeypatch.setenv(TOKEN, "short")
    with pytest.raises(AgentFailed, match="must be 16 to 200 letters"):
        agent_look(Cost(agent=agent), 80)


def test_another_program_at_its_address_is_no_agent(server: ServerProcess) -> None:
    with pytest.raises(AgentFailed, match=f":{server.port}"):
        AgentLook(f"http://127.0.0.1:{server.port}", SECRET, ASKED).sample()


def test_a_clock_that_jumps_is_said_to() -> None:
    look = AgentLook("http://127.0.0.1:1", SECRET, ASKED)
    for ahead_ns in (0, 3 * 10**9):
        at_ns = 10**12 + ahead_ns
        seen = CostSeen(clock_id="there", received_ns=at_ns, sent_ns=at_ns, known="", rows=[])
        exchange = ClockExchange(10**12, at_ns, at_ns, 10**12 + 10_000)
        if not ahead_ns:
            look.narrowed(seen, exchange)
            continue
        with pytest.raises(AgentFailed, match=r"the clock of the agent at http://127\.0\.0\.1:1 jumps"):
            look.narrowed(seen, exchange)


def test_few_questions_are_remembered_and_a_forgotten_one_begins_anew() -> None:
    sight = Sight()
    for at in range(QUESTIONS_MAX + 3):
        known, rows = sight.look(Question(asked_by=f"tests{at}", pid=os.getpid()))
        assert rows[0].pid == os.getpid()
        assert known == f"that of process {os.getpid()} and what it started"
    assert sight.remembered == QUESTIONS_MAX
    with pytest.raises(Gone, match="no process is called so"):
        sight.look(Question(asked_by="tests", also=["nobody-is-called-so"]))


def test_a_question_survives_its_query() -> None:
    asked = Question(asked_by="a1", port=80, cgroup="system.slice/chat.service", also=["nginx", "two words"])
    assert question_of(asked.query()) == asked


def test_an_agent_without_a_token_makes_one_and_prints_it() -> None:
    with agent_with(None) as (url, said):
        token = said.partition("=")[2].partition("\n")[0]
        assert get(f"{url}/clock", token)[0] == 200


def test_where_an_adapter_sends_the_token_is_something_to_be_confirmed() -> None:
    asked = Asked(url="http://h/events", publish=PUBLISH, agent="http://h:8766")
    chosen = choose(asked, ["sse"])
    assert chosen.adapter.cost.agent == "http://h:8766"
    assert "cost.agent = http://h:8766" in powers_of(chosen.adapter)
    assert "--agent http://h:8766" in asked.words()


@linux_only
@pytest.mark.slow
def test_a_run_of_a_server_elsewhere_has_its_cost_from_the_agent_and_its_token_nowhere(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    with foreign() as url:
        words = ["run", "sse", "--url", f"{url}/events", "--publish", PUBLISH, "--agent", agent]
        done = command(*words, *BRIEF, "--json", "--out", str(tmp_path / "run"))
    assert done.returncode in {pollbench.DONE, pollbench.INVALID}, done.stderr
    (row,) = json.loads(done.stdout)["summary"]
    assert row["cpu_ms_per_1000"] > 0
    assert f"as the agent at {agent} sees it" in cell_of(tmp_path / "run")["cost_of"]
    for file in (tmp_path / "run").rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


@pytest.mark.slow
def test_a_run_with_a_wrong_token_fails_its_cell_by_name(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN, "another-secret-of-16")
    with foreign() as url:
        words = ["run", "sse", "--url", f"{url}/events", "--publish", PUBLISH, "--agent", agent]
        done = command(*words, *BRIEF, "--json", "--out", str(tmp_path / "run"))
    assert done.returncode == FAILED
    assert "does not take our token" in cell_of(tmp_path / "run")["problems"][0]


def test_a_clock_answer_without_a_clock_is_no_seen() -> None:
    with (
        telling(lambda: (200, b"{}"), {"error": "what?"}) as address,
        pytest.raises(AgentFailed, match="is no pollbench agent of this version"),
    ):
        AgentLook(address, SECRET, ASKED).sample()
