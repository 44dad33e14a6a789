"""Servers of others: each is described whole, those that are installed deliver, the rest are named with the remedy."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from loadtests.foreign.choose import choose
from loadtests.host.installed import lacking, version_of
from loadtests.scenario.asked import Asked
from reports.validity.evidence import evidence
from servers.targets.peers.catalogue import HERE, PEERS, Peer
from tests.server_process import ROOT
from tests.targets.test_run import command

USAGE = 2
INSTALLED = ROOT / "build/peers"
BRIEF = ["--repeats", "1", "--warmup", "0.2", "--window", "1", "--drain", "5"]
KEEPS_NOTHING = {"pushpin-long_polling"}
"""What is published while such a client is between two polls is lost."""


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_server_has_a_program_an_adapter_and_versions_that_are_pinned(peer: Peer, tmp_path: Path) -> None:
    started = peer.command(tmp_path)
    adapter = choose(Asked(target=peer.named(), changes=(f"command={started}",)), ()).adapter
    assert adapter.command == started
    assert adapter.subscriptions()
    programs = [word for word in started.split() if word.startswith(str(HERE)) and word != str(HERE)]
    assert all(Path(word).is_file() for word in programs)
    node = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    python = re.findall(r"^([\w-]+)==", (HERE / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    pinned = {f"npm:{name}" for name in node} | {f"pip:{name.lower()}" for name in python}
    installer = (ROOT / "scripts/install-peers").read_text(encoding="utf-8")
    for need in peer.needs:
        kind, _, name = need.partition(":")
        assert need in pinned or kind == "bin" or (kind == "deb" and name in installer), need


def test_a_server_that_is_not_installed_is_named_with_the_remedy(tmp_path: Path) -> None:
    done = command("peers", "tornado", "--installed", str(tmp_path), "--out", str(tmp_path / "series"))
    assert done.returncode == USAGE
    assert f"tornado lacks pip:tornado, looked for in {tmp_path}: scripts/install-peers installs it" in done.stderr
    assert not (tmp_path / "series").exists()


def test_a_name_that_nobody_has_is_refused_with_all_there_are(tmp_path: Path) -> None:
    done = command("peers", "tornadoo", "--installed", str(tmp_path))
    assert done.returncode == USAGE
    assert "'tornadoo' is none of: pollbench, pollbench-as-a-stranger, nchan, pushpin" in done.stderr


def test_a_package_is_found_with_its_version_wherever_it_comes_from(tmp_path: Path) -> None:
    (tmp_path / "venv").symlink_to(sys.prefix)
    (tmp_path / "node_modules/@a/b").mkdir(parents=True)
    (tmp_path / "node_modules/@a/b/package.json").write_text('{"version": "1.2.3"}', encoding="utf-8")
    assert version_of("npm:@a/b", tmp_path) == "1.2.3"
    assert re.match(r"\d+\.", version_of("pip:Tornado", tmp_path))
    wanted = ["npm:@a/b", "pip:no-such", "npm:no-such", "deb:no-such", "bin:no-such"]
    assert lacking(wanted, tmp_path) == wanted[1:]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Tornado, which comes with what the tests need, beside our own servers."""
    folder = tmp_path_factory.mktemp("peers")
    (folder / "venv").symlink_to(sys.prefix)
    words = ["peers", "tornado", "pollbench", "pollbench-as-a-stranger", "--installed", str(folder), "--clients", "4"]
    more = ["--schedule", "steady:20", "--pattern", "websocket", "--out", str(folder / "series"), "--json"]
    done = command(*words, *more, *BRIEF)
    assert done.stdout, done.stderr
    return folder, json.loads(done.stdout)


def test_servers_stand_in_one_table_with_versions_and_all_that_was_delivered(
    series: tuple[Path, dict[str, Any]],
) -> None:
    folder, told = series
    assert [row["server"] for row in told["rows"]] == ["Tornado", "pollbench", "pollbench as a stranger"]
    page = (folder / "series/peers.md").read_text(encoding="utf-8")
    assert "4 clients, steady:20, windows of 1 s, 1 repeat each" in page
    assert f"pip:tornado {version_of('pip:tornado', folder)}" in page
    for row in told["rows"]:
        assert f"| {row['server']} |" in page
        assert (row["delivered"], row["owed"], row["twice"]) == (80, 80, 0)
        if row["figures"]:  # a busy machine has a late generator
            assert row["figures"]["cpu_ms_per_1000"]["value"] > 0


def test_a_series_that_is_complete_is_resumed_without_measuring_anything(series: tuple[Path, dict[str, Any]]) -> None:
    folder, told = series
    words = ["peers", "tornado", "--installed", str(folder), "--clients", "4", "--schedule", "steady:20"]
    done = command(*words, "--pattern", "websocket", *BRIEF, "--resume", str(folder / "series"), "--json")
    assert "peers: 0 cells" in done.stderr
    assert json.loads(done.stdout)["rows"] == told["rows"]


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_server_that_is_installed_delivers_every_message_to_every_client(peer: Peer, tmp_path: Path) -> None:
    if missing := lacking(peer.needs, INSTALLED):
        pytest.skip(f"scripts/install-peers has not installed {', '.join(missing)}")
    words = ["peers", peer.name, "--installed", str(INSTALLED), "--clients", "10", "--schedule", "steady:20"]
    done = command(*words, *BRIEF, "--out", str(tmp_path / "series"))
    runs = [folder for folder in sorted((tmp_path / "series").iterdir()) if folder.is_dir()]
    assert runs, done.stderr
    for folder in runs:
        (row,) = evidence(folder).summary.to_dict("records")
        assert row["duplicated"] == 0, folder.name
        assert row["delivered"] == row["owed"] or folder.name in KEEPS_NOTHING, folder.name
