"""PURE. The options that name your own server, on the command line or in Locust's form."""

import shlex
from dataclasses import dataclass

from servers.settings.setting import RUNNER, setting, settings
from servers.web.urls import read_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options that were typed to name a server that is not ours."""

    target: str = setting(
        "",
        "measure your own server: a preset (see pollbench target list), a TOML file or a Python class",
        RUNNER,
        metavar="PRESET|FILE|FILE.py:CLASS",
    )
    url: str = setting(
        "", "address of that server; without --target: the URL that clients request", RUNNER, metavar="URL"
    )
    publish: str = setting(
        "",
        "how to publish a message: METHOD PATH BODY, websocket PATH TEXT or pipe COMMAND, with {{message}}",
        RUNNER,
        metavar="TEXT",
    )
    ca: str = setting("", "trust certificates of this authority (PEM)", RUNNER, metavar="FILE")
    agent: str = setting(
        "",
        "ask a pollbench agent on that server's host what the server costs; its token is in POLLBENCH_AGENT_TOKEN",
        RUNNER,
        metavar="URL",
        tidy=lambda text: str(read_url(text, "agent")),
    )
    insecure: bool = setting(False, "trust any certificate; the report says so", RUNNER)
    changes: tuple[str, ...] = setting(
        (), "change a key of the adapter", RUNNER, option="--set", metavar="KEY=VALUE", repeated=True
    )

    def words(self) -> str:
        """Return it as it is typed."""
        words = []
        for name, each in settings(Asked).items():
            value = getattr(self, name)
            if each.kind is bool:
                words += [each.option] * value
            else:
                texts = value if each.repeated else [value] * bool(value)
                words += [word for text in texts for word in (each.option, text)]
        return shlex.join(words)
