"""PURE. What a load process can be told beyond Locust's own options: what users obey, and where and what to record.

Values arrive as text, from the command line or the web form: Locust answers a bad number in the form with HTTP 500,
so they are read here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from loadtests.scenario.settings import NEWEST, UserSettings
from servers.settings.served import Served
from servers.settings.setting import RUNNER, USER, Setting, again, setting, settings
from servers.web.urls import read_url


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions(UserSettings):
    """schedule "", message_bytes None: as it is at the server."""

    schedule: str = again(Served, "schedule", "")
    message_bytes: int | None = again(Served, "message_bytes", None)  # type: ignore[assignment]
    join_at: str = again(UserSettings, "join_at", NEWEST)
    server_token: str = setting("", "refuse a server that does not have this token in /stats", RUNNER, metavar="TOKEN")
    http2_host: str = setting(
        "",
        "base URL for HTTP/2 push; empty: the port that the server names in /stats",
        RUNNER,
        metavar="URL",
        tidy=lambda text: str(read_url(text, "http2-host")),
    )
    run_dir: str = setting("", "folder for what is recorded; empty: runs/TIME-session", RUNNER, metavar="DIR")


TOLD: Final[Mapping[str, Setting]] = {
    each.dest: each
    for name, each in settings(LoadOptions).items()
    if USER in each.who or name in LoadOptions.__annotations__
}
"""A load process's own options, by their names in Locust's form."""


def read_options(given: Mapping[str, object]) -> LoadOptions:
    """Read options by their names in TOLD. Raises ValueError naming option, value and remedy."""
    return LoadOptions(**{each.name: each.of(given.get(dest)) for dest, each in TOLD.items()})


def add_to(parser: Any) -> None:
    """Give Locust's parser these options; on itself, not in a group: Locust shows only those in its start form."""
    for each in TOLD.values():
        if each.kind is bool:
            parser.add_argument(each.option, action="store_true", help=each.help)
            continue
        usual = each.typed(each.default)
        as_it_is = "; empty: as it is" * (not usual and RUNNER not in each.who)
        parser.add_argument(
            each.option,
            default=usual,
            choices=each.choices or None,
            include_in_web_ui=RUNNER not in each.who,
            help=f"{each.described}{as_it_is}".replace("%", "%%"),
        )
