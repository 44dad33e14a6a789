"""Every setting stands once, and everything that speaks of settings is made of that."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.scenario.locust_options import TOLD
from loadtests.scenario.settings import SETTINGS
from servers.settings.options import ServerOptions
from servers.settings.setting import WHO, Setting, settings

ROOT = Path(__file__).resolve().parent.parent
EVERY = {**settings(ServerOptions), **{each.name: each for each in TOLD.values()}, **SETTINGS}
ENTRY = '    patience_s: float = setting(9.0, "how long a client takes to think", USER, low=1, high=300)\n'
OBEYED = "        self.pause(session.options.patience_s)\n"


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is said everywhere once there is a setting more, which took two lines: its entry, and who obeys it."""
    copy = tmp_path_factory.mktemp("grown") / "sources"
    sources = ["servers", "loadtests", "reports", "scripts", "pollbench.py", "README.md", "pyproject.toml"]
    for name in sources:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    add_line(copy / "loadtests/scenario/settings.py", "    message_limit_bytes: int = setting(\n", ENTRY)
    add_line(copy / "loadtests/users/user.py", "        self.connections = 0\n", OBEYED)
    command = [sys.executable, str(ROOT / "tests/one_setting_more.py"), "patience_s", "--patience"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def add_line(file: Path, before: str, line: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(before) == 1
    file.write_text(text.replace(before, line + before), encoding="utf-8")


def test_a_setting_more_is_one_entry_and_the_line_that_obeys_it(grown: dict[str, Any]) -> None:
    assert grown["options"] == dict.fromkeys(["run", "compare"], "how long a client takes to think; 1s to 5m")
    assert grown["form"] is True
    assert grown["by hand"] == 90.0
    assert grown["to the users"] == "120"
    assert grown["run.json"] == grown["cell.json"] == 120.0
    assert "--patience 120s" in grown["command"]
    assert re.search(r"\| `--patience TIME` \| how long a client takes .*\| 1s to 5m \| `9s` \| user \|", grown["page"])
    assert grown["refusal"] == "--patience 600s is out of range: it must be 1s to 5m"


def test_no_default_range_or_help_of_a_setting_stands_a_second_time() -> None:
    """An option is named where it is obeyed or explained, and nowhere else is it declared."""
    declared = re.compile(r'add_argument\(\s*f?"(--[a-z0-9-]+)"|typer\.Option\(\s*"(--[a-z0-9-]+)"')
    for stage in ("servers", "loadtests"):
        for file in (ROOT / stage).rglob("*.py"):
            twice = {one or other for one, other in declared.findall(file.read_text(encoding="utf-8"))}
            assert not twice & {each.option for each in SETTINGS.values()}, file


@pytest.mark.parametrize("each", EVERY.values(), ids=EVERY)
def test_a_setting_says_what_it_is_who_obeys_it_and_which_values_there_may_be(each: Setting) -> None:
    assert each.help
    assert each.who
    assert set(each.who) <= set(WHO)
    assert each.option.startswith("--")
    if each.kind in {int, float} and each.unit != "bit/s":
        assert each.range, f"{each.name} takes any number"


@given(st.sampled_from([*EVERY.values()]), st.text(max_size=12) | st.floats().map(str))
def test_any_text_is_read_or_refused_in_one_line_that_names_the_option(each: Setting, text: str) -> None:
    try:
        each.check(each.of(text))
    except ValueError as wrong:
        assert str(wrong).startswith(f"{each.option} ")
        assert len(str(wrong).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5.0), ("40ms", 0.04), ("2m", 120.0), ("1h", 3600.0), ("1.5", 1.5), ("7", 7.0)]
)
def test_durations_are_read_everywhere_and_a_plain_number_is_in_the_unit_of_the_setting(
    text: str, seconds: float
) -> None:
    for each in EVERY.values():
        if each.unit == "s":
            assert each.of(text) == seconds
        if each.unit == "ms" and text[-1].isalpha() and not each.many:
            assert each.of(text) == pytest.approx(seconds * 1000)
