"""Who takes part: servers that are installed, in which version, how each is named to a run; and what others lack."""

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtests.foreign.choose import choose
from loadtests.host.installed import lacking, version_of
from loadtests.records.peers import INSTALL, RECORD, Entrant, Record
from loadtests.runs.run_folder import RunRefused, save
from loadtests.runs.runner import check_same
from loadtests.scenario.asked import Asked
from servers.home import VERSION, python
from servers.targets import presets
from servers.targets.peers.catalogue import PEERS, Peer

OURS_BUILT_IN: Final = "pollbench"
OURS_AS_A_STRANGER: Final = "pollbench-as-a-stranger"


def entrants(installed: Path, names: Collection[str]) -> tuple[list[Entrant], dict[str, list[str]]]:
    """Return who takes part, ours last, and what the others lack. names: only these, where there are any.

    Raises ValueError for a server that is named and not there.
    """
    known = [OURS_BUILT_IN, OURS_AS_A_STRANGER, *(peer.name for peer in PEERS)]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"server {unknown[0]!r} is none of: {', '.join(known)}")
    wanted = [peer for peer in PEERS if not names or peer.name in names]
    absent = {peer: missing for peer in wanted if (missing := lacking(peer.needs, installed))}
    if names and absent:
        peer, missing = next(iter(absent.items()))
        raise ValueError(f"{peer.name} lacks {', '.join(missing)}, looked for in {installed}: {INSTALL} installs it")
    there = [_of(peer, installed) for peer in wanted if peer not in absent]
    ours = [each for each in _ours() if not names or each.name in names]
    return [*there, *ours], {peer.title: missing for peer, missing in absent.items()}


def asked_of(entrant: Entrant) -> Asked:
    """Return what names it to a run."""
    return Asked(target=entrant.target, changes=(f"command={entrant.command}",)) if entrant.target else Asked()


def _of(peer: Peer, installed: Path) -> Entrant:
    command = peer.command(installed.absolute())
    followed = choose(Asked(target=peer.named(), changes=(f"command={command}",)), ()).adapter.subscriptions()
    return Entrant(
        name=peer.name,
        title=peer.title,
        versions={need: version_of(need, installed) for need in peer.needs},
        patterns=list(followed),
        target=peer.named(),
        command=command,
    )


def _ours() -> Sequence[Entrant]:
    followed = list(presets.load("pollbench").subscriptions())
    words = python("servers", "--host", "127.0.0.1", "--http2-port", "0", "--schedule", "manual", "--port")
    start, version = f"{shlex.join(words)} {{{{port}}}}", {"pollbench": VERSION}
    return [
        Entrant(name=OURS_BUILT_IN, title="pollbench", versions=version, patterns=followed),
        Entrant(
            name=OURS_AS_A_STRANGER,
            title="pollbench as a stranger",
            versions=version,
            patterns=followed,
            target="pollbench",
            command=start,
        ),
    ]


def enter(folder: Path, record: Record) -> Record:
    """Begin a series, or go on with one, and return all that it has then.

    Raises RunRefused where other versions are installed now.
    """
    if (folder / RECORD).exists():
        then = recorded(folder)
        old, new = ({each.name: _told(each) for each in one.servers} for one in (then, record))
        check_same(folder, {name: versions for name, versions in old.items() if name in new}, new)
        more = [each for each in record.servers if each.name not in old]
        record = msgspec.structs.replace(record, started_at=then.started_at, servers=[*then.servers, *more])
    save(folder / RECORD, record)
    return record


def recorded(folder: Path) -> Record:
    """Raises RunRefused."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Record)
    except (OSError, msgspec.MsgspecError) as problem:
        raise RunRefused(f"--resume {folder}: it has no {RECORD} that can be read ({problem})") from None


def _told(entrant: Entrant) -> str:
    return ", ".join(f"{need} {version}" for need, version in entrant.versions.items())
