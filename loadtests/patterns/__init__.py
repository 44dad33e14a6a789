"""The file name is the registration: every module here that does not begin with _ is a pattern's user."""

from importlib import import_module
from pkgutil import iter_modules

from loadtests.scenario.plan import user_class_name


def names() -> list[str]:
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def load(name: str) -> type:
    """Import a pattern and return its user class. Imports Locust."""
    loaded: type = getattr(import_module(f"{__name__}.{name}"), user_class_name(name))
    return loaded
