"""PURE. The settings of a server process, with the defaults that all commands share."""

from dataclasses import dataclass
from string import ascii_letters, digits
from typing import Final

from servers.settings.redis_url import FORM, check_url
from servers.settings.served import MESSAGE_BYTES_MAX, Served
from servers.settings.setting import SERVER, check, setting

FEEDS: Final = ("memory", "redis-stream", "redis-pubsub")
PAGES: Final = ("plain", "preload", "hints", "push")
HISTORY_BYTES_MIN: Final = 2 * MESSAGE_BYTES_MAX
"""Room for messages that are published together (`servers/feed/publisher.py`), or readers would never get them."""
UNREAD_BYTES_MIN: Final = 10_000_000
"""Room for the longest response to a poll (`servers/web/answers.py`), or no client would ever get it."""
PORT_MAX: Final = 65_535
HOST_CHARACTERS: Final = set(ascii_letters + digits + "-._:,")
NAME_CHARACTERS: Final = set(ascii_letters + digits + "-._~")
NAME_FORM: Final = "letters, digits and - . _ ~"
OF_ONE_PROCESS: Final = ("fault", "write_journal", "one_per_write", "max_held", "rate_limit_per_s")
"""Settings that several processes would each obey by itself."""


def check_name(text: str) -> None:
    if not text or set(text) - NAME_CHARACTERS:
        raise ValueError(text)


def check_hosts(text: str) -> None:
    if set(text) - HOST_CHARACTERS:
        raise ValueError(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions(Served):
    """Settings of one server process. Raises ValueError naming option, value and range."""

    host: str = setting(
        "127.0.0.1", "address to bind; the default is reachable from this machine only", SERVER, metavar="HOST"
    )
    allow_host: str = setting(
        "",
        "further host names, a,b, for which this server answers",
        SERVER,
        metavar="HOSTS",
        valid=check_hosts,
        form="host names or addresses without ports, separated by commas",
    )
    port: int = setting(8080, "HTTP/1.1 port", SERVER, metavar="PORT", low=0, high=PORT_MAX, off="any free one")
    http2_port: int = setting(
        8081, "HTTP/2 port for http2_push", SERVER, metavar="PORT", low=0, high=PORT_MAX, off="any free one"
    )
    https_port: int = setting(
        8443, "HTTP/1.1 port under --tls", SERVER, metavar="PORT", low=0, high=PORT_MAX, off="any free one"
    )
    tls_cert: str = setting(
        "",
        "certificate chain (PEM) for --tls; without --tls, serve HTTP/2 over TLS instead of cleartext",
        SERVER,
        metavar="FILE",
    )
    tls_key: str = setting("", "private key of the certificate (PEM)", SERVER, metavar="FILE")
    start_at_ns: int | None = setting(
        None,
        "instant of the monotonic clock at which the schedule starts (default: now)",
        SERVER,
        option="--start-at-ns",
        low=0,
    )
    history: int = setting(10_000, "number of messages to keep", SERVER, low=1, high=10_000_000)
    history_bytes: int = setting(
        64_000_000,
        "largest total of their bytes",
        SERVER,
        option="--history-bytes",
        low=HISTORY_BYTES_MIN,
        high=10**12,
    )
    unread_bytes: int = setting(
        256_000_000,
        "largest total of responses that clients do not read; the client that waits longest is closed",
        SERVER,
        low=UNREAD_BYTES_MIN,
        high=10**12,
        off="no limit",
    )
    hold_jitter: bool = setting(False, "lengthen every hold by a random part of up to 1/16", SERVER)
    max_held: int = setting(0, "most held long polls per client address", SERVER, low=0, off="no limit")
    rate_limit_per_s: float = setting(
        0.0,
        "most requests per second and client address, with bursts of twice that",
        SERVER,
        low=0,
        high=1e9,
        off="no limit",
    )
    head_timeout_s: float = setting(
        30.0, "longest time for the headers of a request", SERVER, low=0.1, high=3600, off="no limit"
    )
    body_timeout_s: float = setting(
        30.0, "longest time for the body of a request", SERVER, low=0.1, high=3600, off="no limit"
    )
    token: str = setting(
        "", "name of this server in /stats (default: a random one)", SERVER, valid=check_name, form=NAME_FORM
    )
    journal: str = setting("", "write id,due_ns,published_ns of every message to this CSV file", SERVER, metavar="FILE")
    keep: str = setting("", "keep messages in this file, and load them after a restart", SERVER, metavar="FILE")
    fault_journal: str = setting(
        "", "write the effect of the fault on each message to this CSV file", SERVER, metavar="FILE"
    )
    write_journal: str = setting(
        "", "write when each message was sent to each client to this CSV file", SERVER, metavar="FILE"
    )
    feed: str = setting(
        FEEDS[0],
        "where messages are kept; redis shares them with other servers",
        SERVER,
        metavar="FEED",
        choices=FEEDS,
    )
    redis: str = setting(
        "",
        "URL of the Redis server, such as redis://127.0.0.1:6379/0",
        SERVER,
        metavar="URL",
        valid=check_url,
        form=FORM,
    )
    feed_name: str = setting(
        "pollbench", "prefix of the shared feed's keys in Redis", SERVER, valid=check_name, form=NAME_FORM
    )
    publish: bool = setting(True, "do not publish: another server does", SERVER, option="--no-publish")
    page: str = setting(
        PAGES[-1],
        "how /index.html over HTTP/2 announces its assets",
        SERVER,
        metavar="HOW",
        choices=PAGES,
    )
    page_think_s: float = setting(0.0, "time that the server takes to make that page", SERVER, low=0, high=60)

    def __post_init__(self) -> None:
        check(self)
        shared = self.feed != FEEDS[0]
        for option, value, good, remedy in [
            ("--tls-cert", self.tls_cert, bool(self.tls_cert) == bool(self.tls_key), "given together with --tls-key"),
            ("--history", self.history, not self.fault or self.history >= 256, "256 or more with --fault"),
            ("--fault-journal", self.fault_journal, bool(self.fault or not self.fault_journal), "given with --fault"),
            ("--fault", self.fault, not (self.fault and shared), "left out with a shared feed"),
            (
                "--one-per-write",
                self.one_per_write,
                not (self.one_per_write and shared),
                "left out with a shared feed, whose messages come in bundles",
            ),
            (
                "--processes",
                self.server_processes,
                self.server_processes == 1 or not any([shared, *(getattr(self, name) for name in OF_ONE_PROCESS)]),
                "1 with a shared feed, a fault, --write-journal, --one-per-write, --max-held or --rate-limit",
            ),
            ("--keep", self.keep, not (self.keep and shared), "left out with a feed in Redis"),
            (
                "--redis",
                self.redis,
                bool(self.redis) == shared,
                "given with --feed redis-stream or redis-pubsub, and only then",
            ),
        ]:
            if not good:
                raise ValueError(f"{option} {value!r} must be {remedy}")
