"""A pattern more is three files, and everything that knows of patterns knows of it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.server_process import ROOT

PLACES = {"server": "servers", "load": "loadtests", "theory": "reports/theory"}
MORE = ("netstrings", "nudges")
BY_THEMSELVES = [
    "test_contract.py",
    "loadtests/test_contract_of_users.py",
    "loadtests/test_splitting.py",
    "reports/test_framing.py",
    "reports/test_theory.py",
    "servers/test_writes.py",
]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with two patterns more: one with a protocol of its own and a theory, one with neither."""
    copy = tmp_path_factory.mktemp("grown") / "sources"
    for name in ["servers", "loadtests", "reports", "scripts", "tests", "pollbench.py", "README.md", "pyproject.toml"]:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    for name in MORE:
        for file, room in PLACES.items():
            shutil.copy(ROOT / "tests/more_patterns" / name / f"{file}.py", copy / room / "patterns" / f"{name}.py")
    return copy


def python(folder: Path, *words: str) -> str:
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def known(grown: Path) -> dict[str, dict[str, Any]]:
    told: dict[str, dict[str, Any]] = json.loads(python(grown, "tests/one_pattern_more.py", *MORE))
    return told


def test_commands_charts_and_pages_know_its_label_and_give_it_a_colour(known: dict[str, dict[str, Any]]) -> None:
    assert [known[name]["label"] for name in MORE] == ["Netstrings", "Nudges"]
    for each in known.values():
        assert each["colour is its own"]
        assert each["documented"]


def test_a_browser_follows_what_speaks_a_protocol_it_knows_and_what_lacks_a_lane_is_told(
    known: dict[str, dict[str, Any]],
) -> None:
    assert [(known[name]["lane"], known[name]["no lane"]) for name in MORE] == [(False, True), (True, False)]


def test_a_report_repeats_why_a_pattern_has_no_theory(known: dict[str, dict[str, Any]]) -> None:
    (caution,) = known["nudges"]["cautions"]
    assert "nudges are there to be missed" in caution


def test_locust_offers_its_users(grown: Path) -> None:
    assert {"NetstringsUser", "NudgesUser"} <= set(
        python(grown, "-m", "locust", "-f", "loadtests/locustfile.py", "--list").split()
    )


def test_it_is_held_to_every_contract_by_itself(grown: Path) -> None:
    files = [f"tests/{file}" for file in BY_THEMSELVES]
    said = python(grown, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "netstrings or nudges", *files)
    (passed,) = re.findall(r"(\d+) passed", said)
    assert int(passed) >= 28, said
