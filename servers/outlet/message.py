"""PURE. One message on its way into a foreign server: its text, and what templates may say of it."""

import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from servers.targets.template import ENVIRONMENT
from servers.targets.tracer import mint


class SecretMissing(Exception):
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


def of_message(number: int, due_ns: int, published_ns: int, filler: str, run: str) -> dict[str, str]:
    """Return what a template may say of a message, whose text ends with the tracer and is as long as `filler`."""
    tracer = mint(run, number, due_ns, published_ns)
    before = filler[: max(0, len(filler) - len(tracer) - 1)]
    text = f"{before} {tracer}" if before else tracer
    return {"message": text, "tracer": tracer, "id": str(number), "due_ns": str(due_ns)}
