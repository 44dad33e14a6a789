"""Every block of code in README and docs is understood by what it is for: commands by parsers, files by readers."""

import ast
import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from typer.main import get_command

import pollbench
from reports.ci.slo import parse_slo
from reports.commands.app import app

ROOT = Path(pollbench.__file__).parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```\{?\.?(\w*)\}?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_OURS: Final = {
    "curl": "another program, against a server that runs",
    "docker": "another program; what it takes is tried by tests/test_deploy.py",
    "kubectl": "as docker",
    "export": "the shell's",
    "locust": "Locust's own options and ours, tried in tests/loadtests",
    "make": "tried by tests/test_house.py",
    "pip": "tried by tests/test_install.py",
    "pipx": "as pip",
    "uv": "as pip",
    "redis-server": "another program",
}
"""Why a command is not tried here."""


def blocks(language: str) -> list[Any]:
    found = [
        (page, text)
        for page in PAGES
        for kind, text in BLOCK.findall(page.read_text(encoding="utf-8"))
        if kind == language
    ]
    return [pytest.param(text, id=f"{page.relative_to(ROOT)}-{nth}") for nth, (page, text) in enumerate(found)]


def understood(words: list[str]) -> None:
    """Have our command line parse a command, without doing what it says."""
    group: Any = get_command(app)
    name, *rest = words
    while (command := group.commands[name]) and hasattr(command, "commands"):
        group, (name, *rest) = command, rest
    command.make_context(name, rest)


def test_every_language_of_a_block_is_known() -> None:
    languages = {kind for page in PAGES for kind, _ in BLOCK.findall(page.read_text(encoding="utf-8"))}
    assert languages <= {"", "text", "toml", "yaml", "json", "python"}


@pytest.mark.parametrize("text", blocks(""))
def test_a_command_is_understood(text: str) -> None:
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(re.sub(r"\s+# .*$", "", line))
        while words and "=" in words[0]:
            words = words[1:]
        if not words or words[0].startswith("#"):
            continue
        program, *rest = words
        name = program.rpartition("/")[2]
        if name == "pollbench":
            understood(rest)
        else:
            assert name in NOT_OURS, f"{line}: say in NOT_OURS why {name} is not tried, or call the block text"


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml_is_yaml_and_its_commands_are_understood(text: str) -> None:
    for step in yaml.safe_load(text) if text.startswith("- ") else []:
        understood(shlex.split(step["run"])[1:])
    assert yaml.safe_load(text)


@pytest.mark.parametrize("text", blocks("toml"))
def test_toml_is_toml_and_goals_are_goals(text: str) -> None:
    if "slo" in tomllib.loads(text):
        assert parse_slo(text, "the page")


@pytest.mark.parametrize("text", blocks("json"))
def test_json_is_json(text: str) -> None:
    json.loads(text)


@pytest.mark.parametrize("text", [each for each in blocks("python") if "--8<--" not in each.values[0].replace(" ", "")])
def test_python_is_python(text: str) -> None:
    ast.parse(text)
