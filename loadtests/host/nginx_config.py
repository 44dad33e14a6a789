"""PURE. The nginx configuration that stands between clients and our servers, with one line for each choice.

What nginx does to a stream is decided by two of them: whether it collects a response before it passes it on
(`proxy_buffering`), and whether the server may tell it not to (`X-Accel-Buffering`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BUFFER_BYTES: Final = 4096
"""Size of each of nginx's buffers for a response, its default on most machines; a full one is passed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """What can be chosen. The defaults are nginx's own, but that it speaks HTTP/1.1 to servers and keeps connections.

    buffering: collect a response before it is passed on. honour_accel: let the server's `X-Accel-Buffering` header
    decide instead. http_1_0: speak HTTP/1.0 to the servers, as nginx does unless told otherwise; then a connection is
    never kept, and only what is to be upgraded goes in HTTP/1.1 (RFC 9110 7.8). gzip: compress for clients that accept
    it. keepalive: idle connections to the servers that a worker keeps, 0 for a new one for each request. sticky: every
    client connection stays with one server; without it each request goes to the next. workers: worker processes.
    read_timeout_s: longest silence of a server.
    """

    buffering: bool = True
    honour_accel: bool = True
    http_1_0: bool = False
    gzip: bool = False
    keepalive: int = 64
    sticky: bool = False
    workers: int = 1
    read_timeout_s: float = 60.0


def config(port: int, upstreams: Sequence[int], options: ProxyOptions, open_files: int, user: str = "") -> str:
    """Return the text of nginx.conf. Paths in it are relative to the folder that nginx is started with.

    upstreams: ports of the servers on this machine. open_files: how many a worker may have. user: account of the
    workers, "" where nginx does not run as root.
    """
    main = [
        "daemon off",
        "pid nginx.pid",
        "error_log stderr notice",
        f"worker_processes {options.workers}",
        f"worker_rlimit_nofile {open_files}",
        *([f"user {user}"] if user else []),
    ]
    return f"{lines(main)}events {{ worker_connections {open_files}; }}\nhttp {{\n{http(port, upstreams, options)}}}\n"


def http(port: int, upstreams: Sequence[int], options: ProxyOptions) -> str:
    kept = options.keepalive > 0 and not options.http_1_0
    temporary = [f"{name}_temp_path {name}" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    # RFC 9110 section 7.6.1: Connection is between two neighbours. Only the wish to upgrade is passed on.
    hop = f"map $http_upgrade $hop {{ default upgrade; '' '{'' if kept else 'close'}'; }}\n"
    upstream = [
        *(['hash "$remote_addr:$remote_port" consistent'] if options.sticky else []),
        *(f"server 127.0.0.1:{each} max_fails=1 fail_timeout=1s" for each in upstreams),
        *([f"keepalive {options.keepalive}"] if kept else []),
    ]
    server = [
        f"listen 127.0.0.1:{port} backlog=4096",
        "keepalive_requests 1000000",
        "client_max_body_size 2m",
        f"gzip {on(options.gzip)}",
        "gzip_min_length 0",
        "gzip_types application/json application/x-ndjson text/event-stream",
    ]
    location = [
        "proxy_pass http://servers",
        "proxy_set_header Host $http_host",
        "proxy_set_header Upgrade $http_upgrade",
        "proxy_set_header Connection $hop",
        f"proxy_buffering {on(options.buffering)}",
        *([] if options.honour_accel else ["proxy_ignore_headers X-Accel-Buffering"]),
        f"proxy_buffer_size {BUFFER_BYTES}",
        f"proxy_buffers 8 {BUFFER_BYTES}",
        f"proxy_busy_buffers_size {2 * BUFFER_BYTES}",
        f"proxy_read_timeout {round(options.read_timeout_s * 1000)}ms",
        # A server that is cut off from Redis answers 503 to what another one may know.
        "proxy_next_upstream error timeout http_503",
    ]
    return (
        f"access_log off;\n{lines(temporary)}{hop}upstream servers {{\n{lines(upstream)}}}\n"
        f"server {{\n{lines(server)}{locations(location, http_1_0=options.http_1_0)}}}\n"
    )


def locations(directives: Sequence[str], *, http_1_0: bool) -> str:
    in_1_1 = lines([*directives, "proxy_http_version 1.1"])
    if not http_1_0:
        return f"location / {{\n{in_1_1}}}\n"
    in_1_0 = lines([*directives, "proxy_http_version 1.0", "error_page 418 = @upgrade"])
    return f"location / {{\n{in_1_0}if ($http_upgrade) {{ return 418; }}\n}}\nlocation @upgrade {{\n{in_1_1}}}\n"


def lines(directives: Sequence[str]) -> str:
    return "".join(f"{directive};\n" for directive in directives)


def on(wanted: bool) -> str:
    return "on" if wanted else "off"
