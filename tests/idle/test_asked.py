"""What a machine cannot hold is refused before anything starts, with the remedy; open files ask for processes."""

import pytest

from loadtests.idle.asked import NEEDED_BYTES, IdleSettings, TooMany
from loadtests.records.manifest import Machine

HERE = Machine(
    system="Linux",
    cpu="none",
    cores=2,
    memory_bytes=2**33,
    python="3.11",
    clock_id="none",
    open_files=20_000,
    ports=28_232,
)
FREE_BYTES = 10**13


@pytest.mark.parametrize(
    ("clients", "processes"),
    [(1, (2, 1)), (300, (2, 2)), (30_000, (2, 2)), (100_000, (6, 6)), (1_000_000, (56, 56))],
)
def test_there_are_as_many_processes_as_cores_and_as_open_files_ask_for(
    clients: int, processes: tuple[int, int]
) -> None:
    settings = IdleSettings()
    assert settings.processes(clients, HERE) == processes
    settings.check_room(clients, HERE, FREE_BYTES)


@pytest.mark.parametrize(
    ("settings", "free_bytes", "lacking"),
    [
        (
            IdleSettings(server_processes=2),
            FREE_BYTES,
            r"55,100 open files in each of 2 processes \(--server-processes\), .* hard limit \(ulimit -Hn 55100\)",
        ),
        (IdleSettings(load_processes=3), FREE_BYTES, r"36,766 open files in each of 3 processes"),
        (
            IdleSettings(source="127.0.0.2"),
            FREE_BYTES,
            r"100,000 ports, and 1 source address has 28,132; name a larger network \(--source 127.1.0.0/24\)",
        ),
        (IdleSettings(), 100_000 * NEEDED_BYTES - 1, r"about 4.0 GB of memory on this machine, which has 4.0 GB free"),
    ],
)
def test_what_is_lacking_is_named_with_the_remedy(settings: IdleSettings, free_bytes: int, lacking: str) -> None:
    with pytest.raises(TooMany, match=f"--clients 100000 needs {lacking}"):
        settings.check_room(100_000, HERE, free_bytes)


def test_a_machine_that_says_nothing_of_its_limits_is_believed_to_have_none() -> None:
    unknown = Machine(system="", cpu="", cores=4, memory_bytes=0, python="3.11", clock_id="", open_files=0, ports=0)
    IdleSettings().check_room(1_000_000, unknown, 0)
    assert IdleSettings().processes(1_000_000, unknown) == (4, 4)
