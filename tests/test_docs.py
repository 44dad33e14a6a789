"""The documentation builds with every link good, says what the code says, and its example server can be measured."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import pollbench
from loadtests.records.rows import ROW_TYPES
from loadtests.scenario.scenarios import SCENARIOS
from servers.targets.adapter import Adapter, Publish, Subscribe

ROOT = Path(pollbench.__file__).parent
EXAMPLE = ROOT / "docs/examples/own_server.py"


def test_the_site_builds_with_every_link_and_anchor_good_and_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    commands = (tmp_path / "site/reference/commands.html").read_text(encoding="utf-8")
    assert "--hold-timeout" in commands
    rows = (tmp_path / "site/reference/rows.html").read_text(encoding="utf-8")
    assert all(name in rows for row, _ in ROW_TYPES.values() for name in row._fields)
    scenarios = (tmp_path / "site/reference/scenarios.html").read_text(encoding="utf-8")
    assert all(scenario.purpose in scenarios for scenario in SCENARIOS.values())
    own_server = re.sub("<[^>]+>", "", (tmp_path / "site/howto/own-server.html").read_text(encoding="utf-8"))
    assert "class SignedChat(Client)" in own_server
    assert "class Feed" in own_server
    adapters = (tmp_path / "site/reference/adapters.html").read_text(encoding="utf-8")
    assert all(key in adapters for table in (Adapter, Publish, Subscribe) for key in table.__struct_fields__)
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(r'<(?:script|img)[^>]+src="(https?:[^"]+)"', page.read_text(encoding="utf-8"))
        loaded += re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="(https?:[^"]+)"', page.read_text(encoding="utf-8"))
        assert not loaded, page


@pytest.mark.parametrize(
    "page",
    ["tutorial.md", "howto/own-server.md", "howto/replications.md", "howto/deciding.md", "practices.md", "claims.md"],
)
def test_every_command_that_a_page_tells_to_type_exists_with_its_options(
    page: str, front_door: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    typed = re.findall(r"^\.venv/bin/pollbench (.+)$", text, re.MULTILINE)
    assert typed
    for line in typed:
        command, *words = shlex.split(line)
        assert front_door(command, "--help") == pollbench.DONE
        helped = capsys.readouterr().out
        for option in (word for word in words if word.startswith("--")):
            assert option in helped, f"{page}: pollbench {command} has no {option}"


@pytest.mark.slow
def test_the_example_server_is_measured_like_one_of_ours(tmp_path: Path) -> None:
    words = [
        "run",
        "sse",
        "--server",
        shlex.join([sys.executable, str(EXAMPLE)]),
        "--json",
        "--out",
        str(tmp_path / "run"),
    ]
    brief = ["--clients", "4", "--schedule", "steady:10", "--warmup", "0.2", "--window", "1.5", "--drain", "0.3"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "pollbench.py"), *words, *brief],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {pollbench.DONE, pollbench.INVALID}, done.stderr  # a busy machine has a late generator
    (row,) = json.loads(done.stdout)["summary"]
    assert (row["delivered"], row["missed"], row["duplicated"], row["unknown"]) == (4 * 15, 0, 0, 0)
    assert str(EXAMPLE) in json.loads((tmp_path / "run/run.json").read_text(encoding="utf-8"))["command"]
    assert (pd.read_parquet(tmp_path / "run/cells/feed-4-sse-1/deliveries.parquet")["received_ns"] > 0).all()


def test_a_server_that_is_not_there_is_named_with_the_reason(tmp_path: Path) -> None:
    words = ["run", "sse", "--server", "/no/such/server", "--out", str(tmp_path / "run"), "--window", "0.5"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "pollbench.py"), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "the server cannot be started: /no/such/server: No such file" in done.stderr
    assert "Traceback" not in done.stderr
