"""Which packages of others are installed, and in which version: of pip and npm in a folder of ours, of Debian."""

import json
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from loadtests.host.external import ALSO_IN

ASK_S: Final = 10.0


def version_of(need: str, folder: Path) -> str:
    """Return the version of a package such as pip:flask, npm:ws, deb:nginx or bin:node; "" where it is not there.

    folder: has `venv` and `node_modules`.
    """
    kind, _, name = need.partition(":")
    return {"pip": _pip, "npm": _npm, "deb": _deb, "bin": _bin}[kind](name, folder)


def lacking(needs: Iterable[str], folder: Path) -> list[str]:
    """Return those that are not there."""
    return [need for need in needs if not version_of(need, folder)]


def _pip(name: str, folder: Path) -> str:
    places = [str(place) for place in folder.glob("venv/lib/python*/site-packages")]
    return next((each.version for each in distributions(name=name, path=places)), "") if places else ""


def _npm(name: str, folder: Path) -> str:
    with suppress(OSError, ValueError):
        return str(json.loads((folder / "node_modules" / name / "package.json").read_bytes())["version"])
    return ""


def _deb(name: str, _: Path) -> str:
    # dpkg-query(1): the first letters of Status-Abbrev say that it is wanted and installed.
    said = _said("dpkg-query", "-W", "-f=${db:Status-Abbrev}${Version}", name)
    return said[3:] if said.startswith("ii") else ""


def _bin(name: str, _: Path) -> str:
    found = shutil.which(name) or shutil.which(name, path=":".join(ALSO_IN))
    return (_said(found, "--version") or "unknown").removeprefix("v") if found else ""


def _said(*command: str) -> str:
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=False)  # noqa: S603
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""
