"""The facts of a run, held against other ways to learn them."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from loadtests.host import environment


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def test_the_machine_is_described() -> None:
    machine = environment.machine()
    assert machine.python == platform.python_version()
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert machine.cpu
    assert machine.clock_id


def test_versions_are_those_installed_and_pollbenchs_own() -> None:
    versions = environment.versions()
    assert versions["locust"] == version("locust")
    assert versions["pollbench"].count(".") == 2
    assert all(versions.values())


def test_outside_a_checkout_there_is_no_commit(tmp_path: Path) -> None:
    assert environment.commit(tmp_path) == ""


def test_a_commit_is_marked_while_files_differ_from_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    file = tmp_path / "server.py"
    file.write_text("one", encoding="ascii")
    git(tmp_path, "add", "server.py")
    git(tmp_path, "commit", "--quiet", "--no-verify", "-m", "one")
    clean = environment.commit(tmp_path)
    assert len(clean) == 12
    file.write_text("two", encoding="ascii")
    assert environment.commit(tmp_path) == f"{clean}+changes"
