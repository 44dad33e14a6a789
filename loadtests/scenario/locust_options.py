"""PURE. What a load process can be told beyond Locust's own options: what users obey, and where and what to record.

Values arrive as text, from the command line or the web form: Locust answers a bad number in the form with HTTP 500,
so they are read here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from loadtests.scenario.asked import Asked
from loadtests.scenario.settings import NEWEST, UserSettings
from servers.settings.served import Served
from servers.settings.setting import RUNNER, USER, Setting, again, setting, settings
from servers.web.urls import read_url

AS_IT_IS: Final = {"schedule", "message_bytes", "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions(UserSettings):
    """schedule "", message_bytes None: as it is at the server. target to changes: see `asked`."""

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
    clock_host: str = setting(
        "",
        "base URL whose GET /clock tells the publisher's time; empty: --host",
        RUNNER,
        metavar="URL",
        tidy=lambda text: str(read_url(text, "clock-host")),
    )
    target: str = again(Asked, "target", help="adapter of your own server at --host", who=(USER,))
    publish: str = again(Asked, "publish", help="how to publish a message to your own server", who=(USER,))
    ca: str = again(Asked, "ca", who=(USER,))
    agent: str = again(Asked, "agent")
    insecure: bool = again(Asked, "insecure", who=(USER,))
    changes: tuple[str, ...] = again(
        Asked, "changes", help="changes to keys of the adapter, separated by blanks", who=(USER,)
    )
    run_dir: str = setting("", "folder for the records; empty: runs/TIME-session", RUNNER, metavar="DIR")

    def asked(self, host: str) -> Asked:
        """Return which server is meant that is not ours, as `pollbench run` takes it; Asked() for one of ours.

        host: where it is, or, without an adapter, the very URL that clients follow.
        """
        if not self.target and not self.publish:
            return Asked()
        named = {name: getattr(self, name) for name in settings(Asked).keys() & settings(LoadOptions).keys()}
        return Asked(url=host, **named)


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
        as_it_is = "; empty: as it is" * (not usual and each.name in AS_IT_IS)
        parser.add_argument(
            each.option,
            default=usual,
            choices=each.choices or None,
            include_in_web_ui=RUNNER not in each.who,
            help=f"{each.described}{as_it_is}".replace("%", "%%"),
        )
