"""An adapter can be a Python class, and whatever is wrong in one is told with file and line."""

import json
import re
import sys
from pathlib import Path

import pytest

import pollbench
from loadtests.foreign.choose import choose
from loadtests.scenario.asked import Asked
from servers.targets.classes import load, tables_of
from servers.targets.client import Client
from tests.server_process import ROOT
from tests.targets.signed import KEY
from tests.targets.test_run import BRIEF, command

EXAMPLE = ROOT / "docs/examples/signed_chat.py"
SERVER = f"command={sys.executable} {ROOT / 'tests/targets/signed.py'} {{{{port}}}}"
BEGIN = "from pollbench import Client, Request\n\n\nclass Chat(Client):\n"
TABLES = '    tables = """\n    [publish]\n    request = "POST /m"\n    [sse]\n    request = "/e"\n    """\n'


def test_the_example_of_the_documentation_measures_what_no_toml_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAT_KEY", KEY)
    words = ["run", "sse", "--target", f"{EXAMPLE}:SignedChat", "--set", SERVER, *BRIEF]
    done = command(*words, "--json", "--out", str(tmp_path / "run"))
    assert done.returncode in {pollbench.DONE, pollbench.INVALID}, done.stderr
    (row,) = json.loads(done.stdout)["summary"]
    assert (row["delivered"], row["missed"], row["duplicated"]) == (80, 0, 0)
    assert KEY not in (tmp_path / "run/run.json").read_text(encoding="utf-8")


def test_a_class_resumes_by_what_its_tables_remember(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_KEY", KEY)
    done = command("target", "check", str(EXAMPLE), "--set", SERVER)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "resumes: messages published while it was away came" in done.stdout


def test_the_example_is_as_short_as_is_promised() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 60
    page = (ROOT / "docs/howto/own-server.md").read_text(encoding="utf-8")
    assert "examples/signed_chat.py" in page


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("class Chat(Client:\n", r"chat\.py, line 1: SyntaxError: "),
        ("import no_such_library\n", r"chat\.py, line 1: ModuleNotFoundError: No module named 'no_such_library'"),
        ("x = 1\n", r"chat\.py has no class that is an adapter: derive it from Client"),
        (f"{BEGIN}    pass\n\n\nclass Other(Client):\n    pass\n", r"several adapters; it has: Chat, Other; name one"),
        (
            f'{BEGIN}    tables = """\n    [publish]\n    reqest = 1\n    """\n',
            r"chat\.py, line 7: reqest is no key of",
        ),
        (f'{BEGIN}    tables = """\n    [publish\n    """\n', r"chat\.py: not TOML: .*line 6"),
        (
            f"{BEGIN}{TABLES}\n    def subscribe(self):\n        return super().subscribe().headers['X']\n",
            r"chat\.py, line 13: subscribe: KeyError: 'X'",
        ),
        (
            f"{BEGIN}{TABLES}\n    def publish(self, message):\n        return Request(message.text)\n",
            r"chat\.py, line 13: publish: AttributeError: ",
        ),
    ],
)
def test_what_is_wrong_with_a_class_is_told_with_file_and_line(code: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "chat.py"
    file.write_text(code, encoding="utf-8")
    done = command("run", "sse", "--target", str(file), "--url", "http://h", "--out", str(tmp_path / "run"))
    assert done.returncode == pollbench.USAGE
    assert re.search(says, done.stderr), done.stderr
    assert done.stderr.count("\n") == 1


def test_what_a_class_raises_while_it_is_measured_is_told_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "chat.py"
    file.write_text(f"{BEGIN}{TABLES}\n    def texts(self, data):\n        yield data[1000]\n", encoding="utf-8")
    start = f"command={sys.executable} {ROOT / 'tests/targets/foreign.py'} {{{{port}}}}"
    paths = ["--set", "sse.request=/events", "--set", "publish.request=POST /messages", "--set", "roll_call_s=2"]
    done = command("run", "sse", "--target", str(file), "--set", start, *paths, *BRIEF, "--out", str(tmp_path / "run"))
    assert done.returncode == 1
    assert re.search(r"chat\.py, line 13: texts: IndexError: ", " ".join(done.stderr.split())), done.stderr
    assert "Traceback" not in done.stderr


def test_a_class_says_what_its_tables_say_and_is_told_when_its_file_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "chat.py"
    file.write_text(BEGIN + TABLES, encoding="utf-8")
    assert issubclass(load(str(file)), Client)
    text, python = tables_of(str(file))
    assert python == f"{file}:Chat"
    assert text.count("\n", 0, text.index("[publish]")) == 5
    adapter = choose(Asked(target=str(file), url="http://h"), ("sse",)).adapter
    assert load(adapter.python, adapter.python_sha256).tables == load(str(file)).tables
    file.write_text(f"{BEGIN}{TABLES}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has changed since the run began"):
        load(adapter.python, adapter.python_sha256)
