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
from loadtests.scenario import locust_options
from loadtests.scenario.plan import user_class_name
from loadtests.users.user_classes import user_class
from servers.home import pass_on

pass_on()

globals().update((user_class_name(name), user_class(name)) for name in patterns.names())

hooks.listen(events)


@events.init_command_line_parser.add_listener
def _add_options(parser, **_kwargs) -> None:  # type: ignore[no-untyped-def]
    # Locust binds every interface unless told otherwise, and asks neither its page nor its workers who they are.
    parser.set_defaults(web_host="127.0.0.1", master_bind_host="127.0.0.1")
    parser.add_argument(
        "--allow-host",
        default="",
        include_in_web_ui=False,
        help="Other names, a,b, under which pages and clients may use the web interface",
    )
    locust_options.add_to(parser)
