"""PURE. What a load process can be told beyond Locust's own options, and how wrong values are refused.

Values arrive as text, from the command line or the web form: Locust answers a bad number in the form with HTTP 500,
so they are read here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from loadtests.scenario import UserSettings
from servers.served import Served
from servers.setting import RUNNER, USER, Setting, again, setting, settings

NEWEST, OLDEST = "newest", "oldest"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions(UserSettings):
    """What users are told, and what only who starts the process can say. message_bytes: None leaves the server's own."""

    schedule: str = again(Served, "schedule", "")
    message_bytes: int | None = again(Served, "message_bytes", None)  # type: ignore[assignment]
    join_at: str = setting(
        NEWEST,
        "where a new user starts: newest (only what comes from now on) or oldest (everything the server keeps)",
        "WHERE",
        USER,
        choices=(NEWEST, OLDEST),
    )
    server_token: str = setting("", "refuse a server that does not have this token in /stats", "TOKEN", RUNNER)
    http2_host: str = setting(
        "", "base URL for HTTP/2 push; empty: the HTTP/2 port that the server names in /stats", "URL", RUNNER
    )
    run_dir: str = setting("", "folder for what is recorded; empty: runs/TIME-session", "DIR", RUNNER)


TOLD: Final[Mapping[str, Setting]] = {
    each.dest: each
    for name, each in settings(LoadOptions).items()
    if USER in each.who or name in LoadOptions.__annotations__
}
"""Locust's own options for a load process, by their names in its form: what users obey, and the fields above."""


def read_options(given: Mapping[str, object]) -> LoadOptions:
    """Read options by their names in TOLD. Raises ValueError naming option, value and range."""
    return LoadOptions(**{each.name: each.of(given.get(dest)) for dest, each in TOLD.items()})


def add_to(parser: Any) -> None:
    """Give Locust's parser these options; on itself, not in a group: Locust shows only those in its start form."""
    for each in TOLD.values():
        if each.kind is bool:
            parser.add_argument(each.option, action="store_true", help=each.help)
            continue
        parser.add_argument(
            each.option,
            default=each.typed(each.default),
            choices=each.choices or None,
            include_in_web_ui=RUNNER not in each.who,
            help=each.help + " (empty: as it is)" * (not each.typed(each.default) and RUNNER not in each.who),
        )
