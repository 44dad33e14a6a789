"""PURE. Into how many load processes a run's clients go, where nobody said it: as many as they need and cores allow."""

from dataclasses import replace
from math import ceil
from typing import Final

from loadtests.scenario.scenarios import Scenario

CLIENTS_EACH: Final = 500
"""One process reads its clients one by one: of more than these the last one of a broadcast waits 5 ms for the rest."""


def shared_out(scenario: Scenario, cores: int) -> Scenario:
    """Return the scenario with its load processes: each has a core, beside the server's and the network's."""
    if scenario.load_processes is not None or scenario.workers:
        return scenario
    beside = scenario.server_processes + any(scenario.relayed(rtt_ms) for rtt_ms in scenario.rtt_ms)
    processes = min(cores - beside, ceil(max(scenario.clients) / CLIENTS_EACH))
    return replace(scenario, load_processes=processes) if processes > 1 else scenario
