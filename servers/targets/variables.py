"""PURE. What templates are filled with: what is known of a run, and secrets, looked up and never written down."""

import os
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from servers.targets.adapter import Adapter
from servers.targets.template import ENVIRONMENT, FILTERS

_ENVIRONMENT: Final = re.compile(r"\{\{\s*env\.(\w+)")


class Misunderstood(Exception):
    """A server, or an adapter, is not what it was taken for: one line that says where."""


class SecretMissing(Misunderstood):
    """An environment variable that an adapter names is not set."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a target is, and which run speaks to it."""

    run: str
    host: str
    port: int

    def variables(self, client: str) -> "Variables":
        return Variables({"run": self.run, "host": self.host, "port": str(self.port), "client": client})


class Variables(Mapping[str, str]):
    """What a template is filled with: what is known, a fresh `uuid`, and the environment, looked up when asked for."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)

    def __getitem__(self, name: str) -> str:
        """Raises KeyError, and SecretMissing for an environment variable that is not set."""
        if name in self._known:
            return self._known[name]
        if name == "uuid":
            return str(uuid.uuid4())
        if name.startswith(ENVIRONMENT):
            variable = name.removeprefix(ENVIRONMENT)
            if variable not in os.environ:
                raise SecretMissing(f"{{{{{name}}}}}: the environment variable {variable} is not set; export it first")
            return os.environ[variable]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def with_values(self, more: Mapping[str, str]) -> "Variables":
        return Variables(self._known | dict(more))


def environment_of(adapter: Adapter) -> list[str]:
    """Return the names of the environment variables that an adapter asks for."""
    return sorted(set(_ENVIRONMENT.findall(msgspec.json.encode(adapter).decode())))


def secrets_of(adapter: Adapter) -> list[str]:
    """Return what those variables say, in any form in which a template may say it, the longest first."""
    values = filter(None, (os.environ.get(name, "") for name in environment_of(adapter)))
    said = {form for value in values for form in (value, *(change(value) for change in FILTERS.values()))}
    return sorted(said, key=len, reverse=True)


def hidden(text: str, secrets: Iterable[str]) -> str:
    """Return a text without what must not be written down, should a server have repeated it."""
    for secret in secrets:
        text = text.replace(secret, "[hidden]")
    return text
