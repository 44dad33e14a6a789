"""Adapters that ship: a TOML file here is a preset of its name. Copy one to begin your own."""

from importlib.resources import files

from servers.targets.adapter import Adapter
from servers.targets.reading import read_adapter


def names() -> list[str]:
    return sorted(each.name.removesuffix(".toml") for each in files(__name__).iterdir() if each.name.endswith(".toml"))


def text(name: str) -> str:
    return (files(__name__) / f"{name}.toml").read_text(encoding="utf-8")


def load(name: str) -> Adapter:
    """Read a preset. Raises FileNotFoundError for a name that is not among `names`."""
    return read_adapter(text(name), f"preset {name}")
