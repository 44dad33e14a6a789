"""`python one_setting_more.py`, in a copy of the sources: what the table of settings says everywhere, as JSON."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

ROOT = Path.cwd()
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import docs_pages  # type: ignore[import-not-found]  # noqa: E402
from typer.main import get_command  # noqa: E402

from loadtests.runs.commands import OURS  # noqa: E402
from loadtests.scenario.locust_options import add_to, read_options  # noqa: E402
from loadtests.scenario.overrides import overridden  # noqa: E402
from loadtests.scenario.plan import Plan, command_line  # noqa: E402
from loadtests.scenario.scenarios import SCENARIOS  # noqa: E402
from reports.commands.app import app  # noqa: E402


class Form(ArgumentParser):
    """What Locust's parser does with an option: those that are not hidden stand in its form."""

    def add_argument(self, *names: str, include_in_web_ui: bool = True, **says: Any) -> Any:
        shown.update(dict.fromkeys(names, include_in_web_ui))
        return super().add_argument(*names, **says)


def refusal(name: str, text: str) -> str:
    try:
        overridden(None, {name: text}, SCENARIOS["feed"])
    except ValueError as wrong:
        return str(wrong)
    return ""


def main(name: str, option: str) -> dict[str, Any]:
    form = Form()
    add_to(form)
    commands: Any = get_command(app)
    scenario = overridden(None, {name: "2m"}, SCENARIOS["feed"])
    (cell,) = Plan(replace(scenario, clients=(1,)), ("sse",), 1).cells()
    told = OURS.load_command(cell, {}, "token", ROOT)
    return {
        "options": {
            command: next(each.help for each in commands.commands[command].params if option in each.opts)
            for command in ("run", "compare")
        },
        "form": shown.get(option),
        "by hand": getattr(read_options(vars(form.parse_args([option, "90s"]))), name),
        "to the users": told[told.index(option) + 1],
        "run.json": asdict(cell.scenario)[name],
        "cell.json": cell.unmeasured("SSE").settings[name],
        "command": command_line("compare", Plan(scenario, ("sse",), 1)),
        "page": docs_pages.settings_page(),
        "refusal": refusal(name, "10m"),
    }


shown: dict[str, bool] = {}
if __name__ == "__main__":
    json.dump(main(*sys.argv[1:]), sys.stdout)
