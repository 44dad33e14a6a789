"""The micro benchmark runs, and says what it measured; how fast that was is nothing a test should judge."""

import json
import subprocess
import sys


def test_the_benchmark_measures_pushes_and_gets() -> None:
    command = [sys.executable, "-m", "tests.bench.http2", "--json"]
    # CPU time is told in steps of 10 ms, which 200 GETs do not always fill.
    quick = ["--clients", "3", "--rate", "50", "--seconds", "0.5", "--gets", "2000"]
    figures = json.loads(subprocess.run([*command, *quick], capture_output=True, text=True, check=True).stdout)
    assert figures["pushes"] > 0
    assert {"server_cpu_us_per_push", "server_cpu_us_per_get_http1", "server_cpu_us_per_get_http2"} <= set(figures)
