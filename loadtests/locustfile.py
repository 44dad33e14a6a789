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
from loadtests.scenario import options
from servers.home import pass_on

pass_on()

for name in patterns.names():
    user_class = patterns.load(name)
    globals()[user_class.__name__] = user_class
del user_class

hooks.listen(events)
events.init_command_line_parser.add_listener(lambda parser, **_kwargs: options.add_to(parser))
