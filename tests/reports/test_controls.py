"""Controls: the truth passes, a report that is off by one delivery does not, nor one that could be said of any server.

The runs are simulated, and spoiled by hand in the way a server of that fault spoils them.
"""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from loadtests.scenario.scenarios import Scenario
from reports.data.load import ReportError, Run, load
from reports.selftest.controls import Control, Reading, controls, readings
from reports.theory.oracles import frozen_quantile
from servers.settings.fault_specs import parse_fault
from tests.other_rows import with_rows
from tests.simulation import frozen_latencies
from tests.synthetic import write_run

CONTROLS = controls(quick=True)
COLUMNS = ["id", "copies", "overtaken", "released_ns", "waiting"]


def record(run: Run, scenario: Scenario) -> pd.DataFrame:
    """Return what a server with this fault writes down about the messages of a run."""
    fates = list(islice(parse_fault(scenario.fault).fates(), len(run.published)))
    frame = pd.DataFrame(fates, columns=["copies", "overtaken", "delay_ns"])
    released_ns = run.published["published_ns"].to_numpy() + frame["delay_ns"].to_numpy()
    return frame.assign(id=run.published["id"], released_ns=released_ns, waiting=scenario.clients[0])


def spoiled(deliveries: pd.DataFrame, fates: pd.DataFrame) -> pd.DataFrame:
    """Do to the deliveries of a faultless run what the fates say."""
    fated = deliveries.merge(fates[["id", "copies", "overtaken", "delay_ns"]], on="id")
    fated["received_ns"] += fated["delay_ns"]
    plain = fates.loc[~fates["overtaken"].astype(bool), ["id", "released_ns"]]
    behind = pd.merge_asof(fated[["id"]].sort_values("id"), plain, on="id", direction="forward")["released_ns"]
    fated = fated.sort_values("id", ignore_index=True)
    fated["received_ns"] = fated["received_ns"].where(fated["overtaken"] == 0, behind + 4_000_000)
    again = fated.loc[fated.index.repeat(fated["copies"])]
    whole = pd.DataFrame(again, columns=deliveries.columns)
    return whole.sort_values("received_ns", kind="stable", ignore_index=True)


@pytest.fixture
def measured(tmp_path: Path) -> Callable[[str], tuple[Control, Run]]:
    """Return a control of that name and a run of it that tells the truth."""

    def measure(name: str) -> tuple[Control, Run]:
        control = CONTROLS[name]
        run = load(write_run(tmp_path, [control.scenario], repeats=1, labels={control.pattern: control.pattern}))
        fates = record(run, control.scenario)
        fates[COLUMNS].to_csv(tmp_path / "cells" / str(run.cells["cell"][0]) / "faults.csv", index=False)
        return control, with_rows(run, deliveries=spoiled(run.deliveries, fates))

    return measure


@pytest.mark.parametrize("name", ["drop", "duplicate", "reorder", "delay"])
def test_a_report_that_tells_the_truth_passes(measured: Callable[[str], tuple[Control, Run]], name: str) -> None:
    found = readings(*measured(name))
    assert len(found) >= 2
    assert all(reading.true for reading in found), found


def one_delivery_more(deliveries: pd.DataFrame) -> pd.DataFrame:
    middle = deliveries.iloc[[len(deliveries) // 2]]
    return pd.concat([deliveries, middle], ignore_index=True)


def one_delivery_less(deliveries: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(deliveries.drop(index=deliveries.index[len(deliveries) // 2]))


@pytest.mark.parametrize("name", ["drop", "duplicate", "reorder"])
@pytest.mark.parametrize("lie", [one_delivery_more, one_delivery_less])
def test_a_report_that_is_off_by_one_delivery_does_not_pass(
    measured: Callable[[str], tuple[Control, Run]], name: str, lie: Callable[[pd.DataFrame], pd.DataFrame]
) -> None:
    control, run = measured(name)
    found = readings(control, with_rows(run, deliveries=lie(run.deliveries)))
    assert not all(reading.true for reading in found)


@pytest.mark.parametrize("name", ["drop", "duplicate", "reorder"])
def test_a_report_that_sees_no_fault_does_not_pass(measured: Callable[[str], tuple[Control, Run]], name: str) -> None:
    control, run = measured(name)
    found = readings(control, load(run.path))
    assert not any(reading.true for reading in found)


def test_a_report_whose_latencies_are_all_alike_does_not_pass_for_two_delays(
    measured: Callable[[str], tuple[Control, Run]],
) -> None:
    control, run = measured("delay")
    alike = run.deliveries.assign(received_ns=run.deliveries["due_ns"] + 30_000_000)
    with pytest.warns(RuntimeWarning):
        found = readings(control, with_rows(run, deliveries=alike))
    assert not any(reading.true for reading in found)


def test_a_run_without_the_servers_record_is_refused(measured: Callable[[str], tuple[Control, Run]]) -> None:
    control, run = measured("drop")
    next(run.path.glob("cells/*/faults.csv")).unlink()
    with pytest.raises(ReportError, match=r"faults.csv: cannot be read"):
        readings(control, run)


def test_an_interval_that_holds_nothing_too_proves_no_fault() -> None:
    assert not Reading("dropped", "%", injected=1, measured=1, low=0, high=3).true
    assert Reading("dropped", "%", injected=1, measured=1, low=0.5, high=3).true
    assert not Reading("dropped", "%", injected=4, measured=1, low=0.5, high=3).true
    assert not Reading("dropped", "", 5, 5, 5, 5, wrong="2 duplicated too").true


@pytest.mark.parametrize(
    ("q", "window", "frozen", "usual", "expected"),
    [
        (0.99, 30, 1, 0, 0.7),  # 1/30 waits uniformly up to 1 s: 1 % of all is 0.3 s of the freeze
        (0.99, 30, 1, 0.002, 0.702),
        (0.99, 4, 0.5, 0, 0.46),
        (0.5, 30, 1, 0.002, 0.002),
        (1.0, 30, 1, 0, 1),
    ],
)
def test_the_tail_of_a_frozen_server_is_a_closed_form(
    q: float, window: float, frozen: float, usual: float, expected: float
) -> None:
    assert frozen_quantile(q, window, frozen, usual) == pytest.approx(expected)


@pytest.mark.parametrize("q", [0.5, 0.9, 0.97, 0.99, 0.999])
@pytest.mark.parametrize(("window", "frozen"), [(30.0, 1.0), (4.0, 0.5), (10.0, 3.0)])
def test_the_closed_form_agrees_with_a_simulation(q: float, window: float, frozen: float) -> None:
    latencies = frozen_latencies(rate_per_s=2000, window_s=window, at_s=window / 3, frozen_s=frozen, usual_s=0.004)
    assert np.quantile(latencies, q) == pytest.approx(frozen_quantile(q, window, frozen, 0.004), abs=0.002)


def test_every_fault_has_a_control_and_every_control_a_command_that_repeats_it() -> None:
    faults = {type(parse_fault(control.scenario.fault)).__name__.lower() for control in CONTROLS.values()}
    assert faults == set(CONTROLS)
    assert len({control.pattern for control in CONTROLS.values()}) >= 5
    assert set(controls()) == set(CONTROLS)
