"""PURE. What a server process can be told, with the defaults every command shares."""

from dataclasses import dataclass
from string import ascii_letters, digits

from servers.feed.content import CONTENTS
from servers.feed.schedule import parse_schedule
from servers.settings.fault_specs import parse_fault
from servers.settings.redis_url import FORM, check_url

FEEDS = ("memory", "redis-stream", "redis-pubsub")
PAGES = ("plain", "preload", "hints", "push")
MESSAGE_BYTES_MAX = 1_000_000
HISTORY_BYTES_MIN = 2 * MESSAGE_BYTES_MAX
"""Room for what is published in one go (`servers/feed/publisher.py`), or readers would never get it."""
HISTORY_BYTES_MAX = 10**12
HOLD_MIN_S = 1.0
HOLD_MAX_S = 300.0
HOST_CHARACTERS = set(ascii_letters + digits + "-._:,")
TOKEN_CHARACTERS = set(ascii_letters + digits + "-._~")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Settings of one server process. Zero turns max_held, rate_limit_per_s, heartbeat_s, send_buffer_bytes and both
    timeouts off.

    allow_host: names, separated by commas, under which pages and clients may use this server beside its own address.
    head_timeout_s, body_timeout_s: how long a request may take to arrive.

    content: what messages say, one of CONTENTS. compress: polls, JSON lines and SSE are gzip for who accepts it.
    history: messages kept, and history_bytes their bytes at most. hold_timeout_s: how long an empty long poll is held
    when the client names no `timeout`; hold_jitter adds up to a sixteenth to every hold; one_per_response answers a
    long poll with one message at a time when the client names no `limit`. heartbeat_s: longest silence on a stream; a
    client that leaves three unanswered is cut, by the kernel or for want of WebSocket pongs. max_held: held long
    polls of one client address. rate_limit_per_s: requests of one client address, bursts of twice that.
    send_buffer_bytes: how far a stream's reader may lag before it is closed. start_at_ns: instant at which the
    schedule starts, None for now. journal: CSV file of every message published, "" for none.
    keep: file that keeps messages over a restart, "" for none.
    fault: how this server is wrong on purpose, "" for not at all; fault_journal: CSV file of what was done to each
    message. write_journal: CSV file of when each message was written to each client.
    feed: where messages are kept, one of FEEDS; redis: URL of what the redis feeds share; feed_name: what their keys
    begin with; publish: whether this process publishes on schedule, as one of several should.
    page: how the page of HTTP/2 push tells of its assets, one of PAGES; page_think_s: how long it takes to be made.

    Raises ValueError naming option, value and range.
    """

    host: str = "127.0.0.1"
    allow_host: str = ""
    port: int = 8080
    http2_port: int = 8081
    tls_cert: str = ""
    tls_key: str = ""
    schedule: str = "poisson:1"
    start_at_ns: int | None = None
    message_bytes: int = 200
    content: str = CONTENTS[0]
    history: int = 10_000
    history_bytes: int = 64_000_000
    hold_timeout_s: float = 30.0
    hold_jitter: bool = False
    one_per_response: bool = False
    compress: bool = False
    heartbeat_s: float = 15.0
    max_held: int = 0
    rate_limit_per_s: float = 0.0
    send_buffer_bytes: int = 1_048_576
    head_timeout_s: float = 30.0
    body_timeout_s: float = 30.0
    token: str = ""
    journal: str = ""
    keep: str = ""
    fault: str = ""
    fault_journal: str = ""
    write_journal: str = ""
    feed: str = "memory"
    redis: str = ""
    feed_name: str = "pollbench"
    publish: bool = True
    page: str = "push"
    page_think_s: float = 0.0

    def __post_init__(self) -> None:
        try:
            parse_schedule(self.schedule)
            if self.fault:
                parse_fault(self.fault)
        except ValueError as wrong:
            raise ValueError(f"--{wrong}") from None
        checks = [
            ("--port", self.port, 0 <= self.port <= 65535, "0 (any free port) to 65535"),
            ("--http2-port", self.http2_port, 0 <= self.http2_port <= 65535, "0 (any free port) to 65535"),
            ("--tls-cert", self.tls_cert, bool(self.tls_cert) == bool(self.tls_key), "given together with --tls-key"),
            ("--start-at-ns", self.start_at_ns, (self.start_at_ns or 0) >= 0, "0 or more"),
            (
                "--message-bytes",
                self.message_bytes,
                0 <= self.message_bytes <= MESSAGE_BYTES_MAX,
                f"0 to {MESSAGE_BYTES_MAX}",
            ),
            ("--content", self.content, self.content in CONTENTS, f"one of {', '.join(CONTENTS)}"),
            ("--history", self.history, 1 <= self.history <= 10_000_000, "1 to 10000000"),
            ("--history", self.history, not self.fault or self.history >= 256, "256 or more with --fault"),
            (
                "--history-bytes",
                self.history_bytes,
                HISTORY_BYTES_MIN <= self.history_bytes <= HISTORY_BYTES_MAX,
                f"{HISTORY_BYTES_MIN} to {HISTORY_BYTES_MAX}",
            ),
            (
                "--hold-timeout",
                self.hold_timeout_s,
                HOLD_MIN_S <= self.hold_timeout_s <= HOLD_MAX_S,
                f"{HOLD_MIN_S:g} to {HOLD_MAX_S:g}",
            ),
            (
                "--heartbeat",
                self.heartbeat_s,
                not self.heartbeat_s or 0.05 <= self.heartbeat_s <= 3600,
                "0 (none) or 0.05 to 3600",
            ),
            *(
                (option, value, not value or 0.1 <= value <= 3600, "0 (no limit) or 0.1 to 3600")
                for option, value in (("--head-timeout", self.head_timeout_s), ("--body-timeout", self.body_timeout_s))
            ),
            (
                "--allow-host",
                self.allow_host,
                not set(self.allow_host) - HOST_CHARACTERS,
                "host names or addresses without ports, separated by commas",
            ),
            ("--max-held", self.max_held, self.max_held >= 0, "0 (no limit) or more"),
            ("--rate-limit", self.rate_limit_per_s, 0 <= self.rate_limit_per_s <= 1e9, "0 (no limit) or more"),
            ("--token", self.token, not set(self.token) - TOKEN_CHARACTERS, "letters, digits and - . _ ~"),
            ("--fault-journal", self.fault_journal, bool(self.fault or not self.fault_journal), "given with --fault"),
            ("--send-buffer", self.send_buffer_bytes, self.send_buffer_bytes >= 0, "0 (no limit) or more"),
            ("--fault", self.fault, not self.fault or self.feed == "memory", "left out with a feed that is shared"),
            ("--keep", self.keep, not self.keep or self.feed == "memory", "left out with a feed that Redis keeps"),
            ("--feed", self.feed, self.feed in FEEDS, f"one of {', '.join(FEEDS)}"),
            ("--redis", self.redis, not self.redis or is_url(self.redis), FORM),
            (
                "--redis",
                self.redis,
                bool(self.redis) == (self.feed != "memory"),
                "given with --feed redis-stream or redis-pubsub, and only then",
            ),
            (
                "--feed-name",
                self.feed_name,
                bool(self.feed_name) and not set(self.feed_name) - TOKEN_CHARACTERS,
                "letters, digits and - . _ ~",
            ),
            ("--page", self.page, self.page in PAGES, f"one of {', '.join(PAGES)}"),
            ("--page-think", self.page_think_s, 0 <= self.page_think_s <= 60, "0 to 60"),
        ]
        for option, value, good, remedy in checks:
            if not good:
                raise ValueError(f"{option} {value!r} must be {remedy}")


def is_url(text: str) -> bool:
    try:
        return bool(check_url(text))
    except ValueError:
        return False
