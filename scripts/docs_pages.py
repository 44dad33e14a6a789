"""An mkdocs hook: makes the pages that the code already says, so that none of them can be stale.

Commands come from the command line's own help, settings from their table, rows from the docstrings of rows.py,
scenarios and patterns from their modules, exit codes from the README, and the files of the repository's root are pages
as they are.
"""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from typer.main import get_command

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from loadtests.records.rows import ERRORS, MODES, ROLES, ROW_TYPES, SCHEMA_VERSION  # noqa: E402
from loadtests.scenario.asked import Asked  # noqa: E402
from loadtests.scenario.locust_options import TOLD  # noqa: E402
from loadtests.scenario.scenarios import SCENARIOS, Scenario  # noqa: E402
from loadtests.scenario.settings import SETTINGS, typed  # noqa: E402
from reports.commands.app import app  # noqa: E402
from reports.schemas import SCHEMAS, WHERE, schema  # noqa: E402
from servers import patterns  # noqa: E402
from servers.settings.options import ServerOptions  # noqa: E402
from servers.settings.setting import Setting, settings  # noqa: E402
from servers.targets import rules, template  # noqa: E402
from servers.targets.adapter import (  # noqa: E402
    SUBSCRIPTIONS,
    Adapter,
    Cost,
    Part,
    Publish,
    Reply,
    Step,
    Subscribe,
    Tls,
)
from servers.targets.classes import MAY_SAY  # noqa: E402
from servers.targets.client import Client  # noqa: E402
from servers.targets.reading import ALWAYS, OF_A_MESSAGE  # noqa: E402

BUILT: Final = (
    "Rate, size, clients and goals are those of such a thing; `pollbench gate` holds the newest run against the goals "
    "of its scenario where there is no `slo.toml`, and `pollbench capacity` takes them where no `--goal` is given. "
    "Every client gets every message, as followers of one thing do."
)

LLMS: Final = """To learn what a run says, read `verdict.json` in its folder, or ask `pollbench explain RUN --json`:
conclusions, figures with their intervals, conditions and doubts. Nothing may be decided from a run whose verdict is
INVALID or FAIL. Latency counts from the instant a message was due. Every command has `--help`, and those that measure
or judge have `--json`; `pollbench schema` prints what that holds."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for path, make in PAGES.items():
        files.append(File.generated(config, path, content=make()))
    for name in SCHEMAS:
        files.append(File.generated(config, f"schemas/{name}.json", content=json.dumps(schema(name), indent=2)))
    files.append(File.generated(config, "llms.txt", content=llms(config, files)))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Have the corner of a table, of which nothing is said, be no heading: Markdown has none but those."""
    return re.sub(r"<th([^>]*)></th>", r"<td\1></td>", html)


def llms(config: MkDocsConfig, files: Files) -> str:
    """What a language model is told of the site (llmstxt.org): what this is, and every page with its first sentence."""
    told = [f"# {config.site_name}", "", f"> {config.site_description}", "", LLMS]
    for title, paths in _sections(config.nav or []):
        told += ["", f"## {title}", ""]
        for name, path in paths:
            page = files.get_file_from_path(path)
            assert page, path
            told.append(f"- [{name}]({page.url}): {_first_sentence(page.content_string)}")
    return "\n".join([*told, ""])


def _sections(nav: Sequence[Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Return title and (name, path) of each section of the navigation; pages by themselves are one section."""
    entries = [(name, inside) for each in nav for name, inside in each.items()]
    yield "Pages", [(name, inside) for name, inside in entries if isinstance(inside, str)]
    for name, inside in entries:
        if not isinstance(inside, str):
            yield name, [pair for each in inside for pair in each.items()]


def _first_sentence(text: str) -> str:
    """Return what a page opens with: the first line that is prose."""
    prose = (line for line in text.splitlines() if re.match(r"[A-Z`*]", line) and not line.startswith("| "))
    start = text.find(found) if (found := next(prose, "")) else 0
    paragraph = " ".join(text[start:].partition("\n\n")[0].split())
    sentence = re.match(r".*?[.:](?= |$)", paragraph)
    return (sentence[0] if sentence else paragraph).replace("**", "").removesuffix(":")


def schemas_page() -> str:
    told = [
        "# Schemas",
        "",
        "JSON Schemas of what is written for machines. `pollbench schema NAME` prints the same.",
        "",
        "| schema | of |",
        "|---|---|",
    ]
    return "\n".join([*told, *(f"| [`{name}`](../schemas/{name}.json) | {about} |" for name, about in WHERE.items())])


def commands() -> str:
    """Every command, its help and its options, as the command line has them."""
    told = [
        "# Commands",
        "",
        "`pollbench COMMAND --help` says the same. `pollbench --install-completion` teaches the shell.",
    ]
    group: Any = get_command(app)
    for name, command in sorted(group.commands.items()):
        context = command.context_class(command, info_name=f"pollbench {name}")
        told += [
            "",
            f"## {name}",
            "",
            inspect.cleandoc(command.help or "").replace("Examples:", "").replace("Example:", ""),
        ]
        rows = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
        if rows:
            told += ["", "| option | meaning |", "|---|---|"]
            told += [f"| `{_cell(option)}` | {_cell(text)} |" for option, text in rows]
        if command.epilog:
            told += ["", command.epilog]
    return "\n".join(told)


def rows() -> str:
    told = [
        "# Recorded rows",
        "",
        (
            f"Schema version {SCHEMA_VERSION}. Each cell of a run keeps three tables as Parquet. All instants are "
            "integers of nanoseconds of one monotonic clock; nothing is rounded, filtered or dropped."
        ),
    ]
    for table, (row, _) in ROW_TYPES.items():
        told += [
            "",
            f"## {table}",
            "",
            inspect.cleandoc(row.__doc__ or ""),
            "",
            ", ".join(f"`{name}`" for name in row._fields),
        ]
    names = {"error": ERRORS, "mode": MODES, "role": ROLES}
    told += ["", "## Names", ""]
    told += [
        f"- `{column}`: {', '.join(f'`{name}`' if name else 'none' for name in values)}"
        for column, values in names.items()
    ]
    return "\n".join(told)


def scenarios() -> str:
    told = ["# Patterns and scenarios", "", "| pattern | name | endpoint |", "|---|---|---|"]
    told += [
        f"| `{name}` | {patterns.facts(name).label} | `GET {patterns.facts(name).path}` |" for name in patterns.names()
    ]
    told += ["", "| scenario | what it is for | clients | messages | window |", "|---|---|---|---|---|"]
    told += [
        f"| `{name}` | {each.purpose} | {typed('clients', each.clients)} | `{each.schedule}` | {each.window_s:g} s |"
        for name, each in SCENARIOS.items()
    ]
    told += ["", "## Things that people build", "", BUILT]
    for name, each in SCENARIOS.items():
        told += [*_built(name, each)] if each.goals else []
    return "\n".join(told)


def _built(name: str, each: Scenario) -> Iterable[str]:
    away = f", {each.rtt_ms[-1]:g} ms away" if any(each.rtt_ms) else ""
    yield from ("", f"### {name}", "", f"{each.purpose[0].upper()}{each.purpose[1:]}.", "")
    yield f"- {typed('clients', each.clients)} clients{away}, `{each.schedule}`, {each.message_bytes} bytes a message"
    yield f"- a poll every {each.poll_interval_s:g} s, where clients poll"
    yield f"- its goals: {' and '.join(f'`{goal}`' for goal in each.goals)}"
    yield f"- where that comes from: {each.basis}"
    yield from ("", "```", f"pollbench compare --scenario {name}", "pollbench gate", "```")


def settings_page() -> str:
    """Every setting, once: what a measurement depends on, and what only one program is told."""
    of_measurements, by_hand = SETTINGS.values(), [each for each in TOLD.values() if each.name not in SETTINGS]
    of_servers = [each for name, each in settings(ServerOptions).items() if name not in SETTINGS]
    return "\n".join(
        [
            "# Settings",
            "",
            (
                "Durations are written `5s`, `40ms`, `2m` or `1h`; a plain number is in the unit of the setting. The "
                "name of a setting is its key in `run.json` and in the `settings` of `cell.json`."
            ),
            *_table("What a measurement depends on: options of `pollbench run` and `compare`", of_measurements),
            "",
            "`pollbench serve` takes those that the server obeys, Locust and its form those that users obey.",
            *_table(
                "Which server, where it is not ours: options of `run`, `compare` and `capacity`",
                settings(Asked).values(),
            ),
            *_table("Only of a test driven by hand, in Locust", by_hand),
            *_table("Only of `pollbench serve`", of_servers),
        ]
    )


def adapters() -> str:
    """Every key of an adapter file, from the types that read it."""
    told = [
        "# Adapter files",
        "",
        (
            "What [Measure your own server](../howto/own-server.md) explains, key by key. Any key can be changed for "
            "one run: `--set sse.request='GET /news'`. An unknown key is an error that names its line."
        ),
        *_keys("The file itself", Adapter),
    ]
    tables = {"publish": Publish, " or ".join(SUBSCRIPTIONS): Subscribe, "tls": Tls, "cost": Cost}
    for name, table in {**tables, "connect, a list of": Step, "reply, a list of": Reply}.items():
        told += _keys(
            " ".join(f"`[{word}]`" if word in {*tables, *SUBSCRIPTIONS} else word for word in name.split(" ")), table
        )
    told += ["", "## Rules", "", "```", inspect.cleandoc(rules.__doc__ or "").removeprefix("PURE. "), "```"]
    told += ["", "## Templates", "", inspect.cleandoc(template.__doc__ or "").removeprefix("PURE. ")]
    told += [
        "",
        f"Variables everywhere: {_words(ALWAYS)}; where something is published also: {_words(OF_A_MESSAGE - ALWAYS)}.",
    ]
    told += ["", "## Methods of a class", "", "A class derived from `Client` may say these in Python instead.", ""]
    told += ["| method | meaning |", "|---|---|"]
    told += [f"| `{name}` | {_cell(inspect.getdoc(getattr(Client, name)) or '')} |" for name in MAY_SAY]
    return "\n".join(told)


def _keys(title: str, table: type[Part]) -> list[str]:
    told = [
        "",
        f"## {title}",
        "",
        inspect.cleandoc(table.__doc__ or ""),
        "",
        "| key | meaning | default |",
        "|---|---|---|",
    ]
    hints = get_type_hints(table, include_extras=True)
    for each in msgspec.structs.fields(table):
        says = next(meta.description for meta in reversed(hints[each.name].__metadata__) if meta.description)
        is_plain = isinstance(each.default, str | int | float) and each.default != ""
        usual = f"`{str(each.default).lower() if isinstance(each.default, bool) else each.default}`" if is_plain else ""
        told.append(f"| `{each.name}` | {_cell(says)} | {usual} |")
    return told


def _words(names: Iterable[str]) -> str:
    return ", ".join(f"`{{{{{name}}}}}`" for name in sorted(names))


def _table(title: str, chosen: Iterable[Setting]) -> list[str]:
    told = [
        "",
        f"## {title}",
        "",
        "| option | meaning | value | range | default | obeyed by | name |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in chosen:
        usual = "" if each.kind is bool or each.default is MISSING else each.typed(each.default)
        value = "on or off" if each.kind is bool else f"{each.kind.__name__}{', ' if each.unit else ''}{each.unit}"
        option = each.option if each.kind is bool else f"{each.option} {each.placeholder}"
        about = [f"`{_cell(option)}`", _cell(each.help), value, each.range, f"`{usual}`" if usual else ""]
        told.append(f"| {' | '.join([*about, ', '.join(each.who), f'`{each.name}`'])} |")
    return told


def exit_codes() -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^## Exit codes\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    assert found, "the README has a section on exit codes"
    return f"# Exit codes\n\n{found[1]}"


def root_file(name: str) -> Callable[[], str]:
    return lambda: (ROOT / name).read_text(encoding="utf-8")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|").replace("<", "&lt;")


PAGES: Final[dict[str, Callable[[], str]]] = {
    "reference/commands.md": commands,
    "reference/rows.md": rows,
    "reference/scenarios.md": scenarios,
    "reference/settings.md": settings_page,
    "reference/adapters.md": adapters,
    "reference/exit-codes.md": exit_codes,
    "reference/schemas.md": schemas_page,
    "contributing.md": root_file("CONTRIBUTING.md"),
    "decisions.md": root_file("DECISIONS.md"),
    "changelog.md": root_file("CHANGELOG.md"),
}
