"""Advice is kept beside the runs: the newest of each experiment, and nothing of what cannot be read."""

from pathlib import Path

from loadtests.records.manifest import Advice
from loadtests.runs import kept_advice


def said(verdict: str) -> Advice:
    return Advice(title="T", verdict=verdict, command="pollbench experiment x", measured_at="2026-11-24T21:00:00Z")


def test_newer_advice_takes_the_place_of_older_of_the_same_experiment_only(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert kept_advice.kept(runs) == {}
    kept_advice.keep(runs, {"b": said("old"), "a": said("other")})
    kept_advice.keep(runs, {"b": said("new")})
    assert kept_advice.kept(runs) == {"a": said("other"), "b": said("new")}


def test_nothing_new_makes_no_folder_and_what_cannot_be_read_is_no_advice(tmp_path: Path) -> None:
    kept_advice.keep(tmp_path / "runs", {})
    assert not (tmp_path / "runs").exists()
    (tmp_path / kept_advice.FILE).write_text('{"a": {"title": 1}}')
    assert kept_advice.kept(tmp_path) == {}
