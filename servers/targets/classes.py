"""Adapters that are Python classes: found in the file that is named, and what is wrong in one told with its line."""

import ast
import hashlib
import sys
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from servers.targets.adapter import Adapter, AdapterError, Publish, Subscribe
from servers.targets.client import Client
from servers.targets.variables import Misunderstood, Place

MAY_SAY: Final = ("publish", "line", "subscribe", "hear", "opened", "answer", "texts")
"""What a class may say in Python; texts, opened and answer may be generators."""
SEVERAL: Final = {"opened", "answer", "texts"}
REMEDY: Final = "derive it from Client (from pollbench import Client, Request), see docs/howto/own-server.md"


class Faulty(Misunderstood):
    """An adapter's own code raised something: file, line and what."""


def client_of(adapter: Adapter, how: Publish | Subscribe, place: Place, name: str) -> Client:
    """Return a client by an adapter's own class, or by its tables alone. Raises AdapterError and Faulty."""
    kind = load(adapter.python, adapter.python_sha256) if adapter.python else Client
    try:
        return kind(adapter, how, place, name)
    except Exception as wrong:
        raise Faulty(_told(_file_of(adapter.python)[0], "__init__", wrong)) from wrong


def load(python: str, sha256: str = "") -> type[Client]:
    """Return the class that FILE:CLASS names, or the only one of FILE.

    sha256: what the file must still be, "" for anything. Raises AdapterError naming file, line and remedy.
    """
    file, name = _file_of(python)
    source = _read(file)
    if sha256 and digest(python) != sha256:
        raise AdapterError(f"{file} has changed since the run began: start a new one")
    return _loaded(file, name, source)


def digest(python: str) -> str:
    """Return the SHA-256 of the file that FILE:CLASS names. Raises AdapterError."""
    return hashlib.sha256(_read(_file_of(python)[0]).encode()).hexdigest()


def tables_of(python: str) -> tuple[str, str]:
    """Return the TOML that a class has in its `tables`, on the same lines as in its file, and FILE:CLASS in full."""
    file, _ = _file_of(python)
    kind = load(python)
    lines = [
        statement.value.lineno
        for definition in ast.walk(ast.parse(_read(file)))
        if isinstance(definition, ast.ClassDef) and definition.name == kind.__name__
        for statement in definition.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "tables"
    ]
    return "\n" * (lines[0] - 1 if lines else 0) + kind.tables, f"{file.resolve()}:{kind.__name__}"


def _file_of(python: str) -> tuple[Path, str]:
    path, _, name = python.partition(".py:")
    return (Path(f"{path}.py"), name) if name else (Path(python), "")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        why = getattr(wrong, "strerror", None) or "no text in UTF-8"
        raise AdapterError(f"{file} cannot be read: {why}; name FILE.py or FILE.py:CLASS") from None


@lru_cache(maxsize=16)
def _loaded(file: Path, name: str, source: str) -> type[Client]:
    module = ModuleType(f"adapter_{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, str(file), "exec"), module.__dict__)  # noqa: S102  (it is what the user asked for)
    except Exception as wrong:
        raise AdapterError(_told(file, "", wrong)) from wrong
    own = {
        each.__name__: each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Client) and each.__module__ == module.__name__
    }
    if not own:
        raise AdapterError(f"{file} has no class that is an adapter: {REMEDY}")
    if (name or len(own) > 1) and name not in own:
        asked = f"no class {name} that is an adapter" if name else "several adapters"
        raise AdapterError(f"{file} has {asked}; it has: {', '.join(own)}; name one, {file}:{next(iter(own))}")
    return _guarded(own[name] if name else next(iter(own.values())), file)


def _guarded(kind: type[Client], file: Path) -> type[Client]:
    """Have all that a class says itself raise nothing but Faulty, with file and line."""
    for name in MAY_SAY:
        said = getattr(kind, name)
        if said is not getattr(Client, name):
            setattr(kind, name, _guard(said, name, file))
    return kind


def _guard(method: Callable[..., Any], name: str, file: Path) -> Callable[..., Any]:
    @wraps(method)
    def called(*arguments: Any, **named: Any) -> Any:
        try:
            said = method(*arguments, **named)
            return list(said) if name in SEVERAL else said
        except Misunderstood:
            raise
        except Exception as wrong:
            raise Faulty(_told(file, name, wrong)) from wrong

    return called


def _told(file: Path, method: str, wrong: Exception) -> str:
    """Say what was raised, and on which line of the file."""
    line = wrong.lineno if isinstance(wrong, SyntaxError) else None
    step = wrong.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(file):
            line = step.tb_lineno
        step = step.tb_next
    where = f"{file}, line {line}" if line else str(file)
    what = wrong.msg if isinstance(wrong, SyntaxError) else " ".join(str(wrong).split())
    return f"{where}: {f'{method}: ' * bool(method)}{type(wrong).__name__}: {what}"
