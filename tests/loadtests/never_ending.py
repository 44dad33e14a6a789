"""What `tests/test_orphans.py` runs and kills: a test that is in the middle of a load. No run of all tests finds it."""

import sys
from pathlib import Path

from tests.loadtests.load_process import Load


def test_that_waits_for_its_load(tmp_path: Path) -> None:
    Load(tmp_path / "log", command=[sys.executable, "-c", "import time; time.sleep(600)"]).process.wait()
