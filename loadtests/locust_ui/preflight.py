"""Whether a test can start: options that can be read, and a server that is there, is ours, and serves what users need.

Asked by the conductor when a test starts and, so that the answer stands in the form, by the web page before that.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from loadtests.foreign.choose import choose
from loadtests.foreign.spec import Chosen
from loadtests.runs.target import Target, WrongServer
from loadtests.scenario.asked import Asked
from loadtests.scenario.locust_options import LoadOptions, read_options
from loadtests.scenario.source_address import parse_source
from servers.web.free_port import check_own

if TYPE_CHECKING:
    from loadtests.users.user import PatternUser

    Users = Iterable[type[PatternUser]]


def other_server(given: Mapping[str, Any], host: str, users: "Users") -> tuple[Asked, Chosen] | None:
    """Return the server that is not ours, as asked for and as found; None where it is one of ours.

    Raises ValueError that names option, value and remedy.
    """
    asked = read_options(given).asked(host)
    if asked == Asked():
        return None
    patterns = [user.pattern for user in users]
    if not asked.target and len(patterns) > 1:
        raise ValueError("a URL alone is followed by one kind of user: choose one, or describe the server (--target)")
    chosen = choose(asked, patterns)
    for pattern in patterns:
        chosen.adapter.subscription(pattern)
    return asked, chosen


def admit(given: Mapping[str, Any], host: str, users: "Users") -> tuple[LoadOptions, Target]:
    """Return the options as read and the server as met.

    given: options by name; users: the chosen classes. Raises ValueError for a wrong option, WrongServer for a server
    that cannot be measured; both name value and remedy.
    """
    options = read_options(given)
    check_source(options)
    target = Target(host, options.server_token)
    target.offset()  # so that a clock that cannot be compared is told of here
    chosen = list(users)
    needing = [user.__name__ for user in chosen if user.facts.http2]
    if needing and not (options.http2_host or target.http2_host):
        raise WrongServer(
            f"{host} serves no HTTP/2, which {', '.join(needing)} needs; have it serve http2_push, "
            "or choose other users"
        )
    if options.tls and not target.https_host:
        raise WrongServer(f"{host} serves no TLS, which --tls asks for: start it with --tls, or leave it out")
    served = target.stats.patterns
    astray = [user.__name__ for user in chosen if served and user.pattern not in served]
    if astray:
        raise WrongServer(
            f"{host} serves {', '.join(served)}, which is nothing for {', '.join(astray)}; choose other users, or have "
            "it serve more"
        )
    return options, target


def check_source(options: LoadOptions) -> None:
    """Raise ValueError when users could not connect from the address that they are to have."""
    address = parse_source(options.source).address(1)
    if not address:
        return
    try:
        check_own(address)
    except OSError as problem:
        raise ValueError(
            f"--source {options.source}: {address} cannot be bound ({problem.strerror}); name an address of this "
            "machine (Linux has all of 127.0.0.0/8)"
        ) from None
