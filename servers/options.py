"""PURE. What a server process can be told, with the defaults every command shares."""

from dataclasses import dataclass
from string import ascii_letters, digits
from typing import Final

from servers.backplane.url import FORM, check_url
from servers.served import Served
from servers.setting import SERVER, check, setting

FEEDS: Final = ("memory", "redis-stream", "redis-pubsub")
PAGES: Final = ("plain", "preload", "hints", "push")
PORT_MAX: Final = 65_535
TOKEN_CHARACTERS: Final = set(ascii_letters + digits + "-._~")
TOKEN_FORM: Final = "letters, digits and - . _ ~"


def check_token(text: str) -> None:
    if not text or set(text) - TOKEN_CHARACTERS:
        raise ValueError(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions(Served):
    """Settings of one server process. Raises ValueError naming option, value and range."""

    host: str = setting("127.0.0.1", "address to bind; the default is reachable from this machine only", "HOST", SERVER)
    port: int = setting(8080, "HTTP/1.1 port", "PORT", SERVER, low=0, high=PORT_MAX, off="any free one")
    http2_port: int = setting(
        8081, "HTTP/2 port for http2_push", "PORT", SERVER, low=0, high=PORT_MAX, off="any free one"
    )
    tls_cert: str = setting("", "certificate chain (PEM): serve HTTP/2 over TLS instead of cleartext", "FILE", SERVER)
    tls_key: str = setting("", "its private key (PEM)", "FILE", SERVER)
    start_at_ns: int | None = setting(
        None,
        "instant of this machine's monotonic clock at which the schedule starts; without it, now",
        "NS",
        SERVER,
        option="--start-at-ns",
        low=0,
    )
    history: int = setting(10_000, "messages kept", "N", SERVER, low=1, high=10_000_000)
    hold_jitter: bool = setting(False, "add up to a sixteenth, at random, to every hold", "", SERVER)
    max_held: int = setting(0, "held long polls of one client address", "N", SERVER, low=0, off="no limit")
    rate_limit_per_s: float = setting(
        0.0, "requests/s of one client address, bursts of twice that", "N", SERVER, low=0, high=1e9, off="no limit"
    )
    token: str = setting(
        "",
        "name of this server in /stats; without it, a random one",
        "NAME",
        SERVER,
        valid=check_token,
        form=TOKEN_FORM,
    )
    journal: str = setting("", "write id,due_ns,published_ns of every message to this CSV file", "FILE", SERVER)
    keep: str = setting("", "keep messages in this file, and go on with them after a restart", "FILE", SERVER)
    fault_journal: str = setting("", "write what the fault did to each message to this CSV file", "FILE", SERVER)
    write_journal: str = setting("", "write when each message was sent to each client to this CSV file", "FILE", SERVER)
    feed: str = setting(
        FEEDS[0],
        f"where messages are kept, {', '.join(FEEDS)}: redis shares them with other servers",
        "FEED",
        SERVER,
        choices=FEEDS,
    )
    redis: str = setting(
        "", "URL of that Redis, such as redis://127.0.0.1:6379/0", "URL", SERVER, valid=check_url, form=FORM
    )
    feed_name: str = setting(
        "pollbench",
        "what the shared feed's keys in Redis begin with",
        "NAME",
        SERVER,
        valid=check_token,
        form=TOKEN_FORM,
    )
    publish: bool = setting(True, "leave the schedule to another server", "", SERVER, option="--no-publish")
    page: str = setting(
        "push", f"how /index.html over HTTP/2 tells of its assets: {', '.join(PAGES)}", "HOW", SERVER, choices=PAGES
    )
    page_think_s: float = setting(0.0, "seconds that page takes to be made", "S", SERVER, low=0, high=60)

    def __post_init__(self) -> None:
        check(self)
        shared = self.feed != "memory"
        for option, value, good, remedy in [
            ("--tls-cert", self.tls_cert, bool(self.tls_cert) == bool(self.tls_key), "given together with --tls-key"),
            ("--history", self.history, not self.fault or self.history >= 256, "256 or more with --fault"),
            ("--fault-journal", self.fault_journal, bool(self.fault or not self.fault_journal), "given with --fault"),
            ("--fault", self.fault, not (self.fault and shared), "left out with a feed that is shared"),
            ("--keep", self.keep, not (self.keep and shared), "left out with a feed that Redis keeps"),
            (
                "--redis",
                self.redis,
                bool(self.redis) == shared,
                "given with --feed redis-stream or redis-pubsub, and only then",
            ),
        ]:
            if not good:
                raise ValueError(f"{option} {value!r} must be {remedy}")
