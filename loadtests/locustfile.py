"""The only locustfile: every discovered pattern's user class, and the hooks that make Locust a measuring instrument.

`locust -f "$(pollbench locustfile)" --host http://127.0.0.1:8080 [UserClass ...]`, with or without web UI, --headless,
--processes, --master and --worker.
"""

import sys
from pathlib import Path

from locust import events

# Locust puts this file's folder first on sys.path while it loads it; the packages live one above it, and stay.
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

from loadtests import patterns
from loadtests.locust_ui import hooks
from loadtests.scenario.options import FLAGS, HELP, JOIN
from loadtests.scenario.scenarios import START
from servers.home import pass_on

pass_on()

for name in patterns.names():
    user_class = patterns.load(name)
    globals()[user_class.__name__] = user_class
del user_class

hooks.listen(events)


@events.init_command_line_parser.add_listener
def _add_options(parser, **_kwargs) -> None:  # type: ignore[no-untyped-def]
    # On the parser itself, not in a group: Locust shows only those in its start form.
    defaults = {
        "poll_interval": "1",
        "poll_pace": "rate",
        "hold_timeout": "30",
        "silence_timeout": "60",
        "backoff": "exponential",
    }
    choices = {"join_at": JOIN, "poll_start": START}
    defaults |= {option: first for option, (first, *_) in choices.items()}
    for option, text in HELP.items():
        if option in FLAGS:
            parser.add_argument(f"--{option.replace('_', '-')}", action="store_true", help=text)
            continue
        parser.add_argument(
            f"--{option.replace('_', '-')}",
            default=defaults.get(option, ""),
            choices=choices.get(option),
            include_in_web_ui=option not in {"http2_host", "run_dir", "server_token"},
            help=text,
        )
