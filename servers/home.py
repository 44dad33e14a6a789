"""Where pollbench lies, and how its own programs are started, whatever folder we are in and whatever lies there.

In a checkout the stages are folders beside each other; installed, they are the same folders inside of the package
`pollbench`, as their names are too common to be put beside other packages. Both are called home here.
"""

import os
import sys
from pathlib import Path
from typing import Final

VERSION: Final = "0.1.0"
HOME: Final = Path(__file__).resolve().parent.parent
LOCUSTFILE: Final = HOME / "loadtests" / "locustfile.py"


def python(module: str, *words: str) -> tuple[str, ...]:
    """Return the command that runs a module. -P: a `servers` or `queue.py` in the current folder is not meant."""
    return (sys.executable, "-P", "-m", module, *words)


def pass_on() -> None:
    """Let every process that we start find the stages where we found them."""
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(HOME), *filter(None, known)]))
