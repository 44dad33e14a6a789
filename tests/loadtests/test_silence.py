"""A stream that has fallen silent is given up and resumed after as long as users are told to bear it."""

from pathlib import Path

import pytest

from loadtests.runs import runner
from loadtests.scenario.plan import Plan
from loadtests.scenario.scenarios import Scenario
from reports.data.load import load
from reports.measures.measures import per_cell
from tests.loadtests.test_stalls import Silent

pytestmark = pytest.mark.slow

FROZEN = Scenario(
    name="feed",
    purpose="tests",
    clients=(4,),
    schedule="steady:20",
    fault="freeze:0.7,2",
    heartbeat_s=0.2,
    silence_timeout_s=0.5,
    warmup_s=0.2,
    window_s=2.5,
)


def test_users_give_up_a_frozen_server_and_miss_nothing_when_it_goes_on(tmp_path: Path) -> None:
    plan, labels = Plan(FROZEN, ("sse",), 1), {"sse": "Server-Sent Events"}
    runner.begin(tmp_path, plan, labels, "run")
    runner.run_cells(tmp_path, plan.cells(), labels, Silent())
    row = per_cell(load(tmp_path)).iloc[0]
    assert row["error_timeout"] >= FROZEN.clients[0]
    assert row["missed"] == 0
