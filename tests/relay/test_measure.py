"""The relay's account of itself: the figures are there, are consistent, and leave no process behind."""

import json
import subprocess
import sys

from servers.relay.measure import measure_overhead
from tests.relay.running import PATIENCE_S


def test_the_overhead_is_what_is_left_after_the_delay_that_was_asked_for() -> None:
    overhead = measure_overhead(4_000_000, connections=3, rounds=10)
    assert overhead.messages == 2 * 3 * 10
    assert overhead.added_p50_ms > -overhead.direct_ms
    assert overhead.added_p50_ms <= overhead.added_p99_ms
    assert overhead.cpu_us_per_chunk > 0
    assert "rtt 4 ms, 3 at once" in str(overhead)


def test_the_command_prints_one_figure_for_each_trial_as_json() -> None:
    command = [sys.executable, "-m", "servers.relay.measure", "--rtt", "2ms", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    trials = [(trial["rtt_ms"], trial["connections"]) for trial in json.loads(done.stdout)]
    assert trials == [(0, 1), (2, 1), (0, 100), (2, 100)]


def test_a_wrong_duration_is_refused_in_one_line() -> None:
    command = [sys.executable, "-m", "servers.relay.measure", "--rtt", "soon"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --rtt 'soon' is not a duration")
    assert len(done.stderr.splitlines()) == 1
