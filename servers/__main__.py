"""`python -m servers [PATTERN ...]`: the reference servers, for a load test or for curl."""

import argparse
import sys
from typing import NoReturn

import msgspec

from servers import patterns
from servers.app import Service
from servers.backplane import NoRedisError
from servers.feed.content import CONTENTS
from servers.feed.schedule import FORMS
from servers.home import pass_on
from servers.process import PortTakenError, ServingError, serve
from servers.settings import fault_specs
from servers.settings.options import FEEDS, PAGES, ServerOptions
from servers.web.urls import authority, is_loopback, reachable

FAILED, USAGE, UNREACHABLE = 1, 2, 3


class Parser(argparse.ArgumentParser):
    """Reports a wrong option in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"error: {message}\n")


def main() -> int:
    pass_on()
    try:
        names, as_json, options = parse(sys.argv[1:])
        serve(names, options, announce_json if as_json else announce_lines)
    except (PortTakenError, NoRedisError) as wrong:
        return fail(UNREACHABLE, wrong)
    except ServingError as wrong:
        return fail(FAILED, wrong)
    except (ValueError, OSError) as wrong:
        return fail(USAGE, wrong)
    return 0


def parse(arguments: list[str]) -> tuple[list[str], bool, ServerOptions]:
    given = vars(parser().parse_args(arguments))
    names, as_json = given.pop("patterns") or patterns.names(), given.pop("announce_json")
    for name in names:
        patterns.load(name)
    return sorted(set(names)), as_json, ServerOptions(**given)


def parser() -> Parser:
    default = ServerOptions()
    p = Parser(prog="python -m servers", description="Serve update-delivery patterns from one feed of messages.")
    p.add_argument("patterns", nargs="*", metavar="PATTERN", help=f"any of {', '.join(patterns.names())}; default all")

    def option(name: str, field: str, kind: type, help_text: str) -> None:
        value = getattr(default, field)
        p.add_argument(name, dest=field, type=kind, default=value, metavar=kind.__name__.upper(), help=help_text)

    option("--host", "host", str, "address to bind; the default is reachable from this machine only")
    option("--allow-host", "allow_host", str, "other names, a,b, under which pages and clients may use this server")
    option("--port", "port", int, "HTTP/1.1 port, 0 for any free one (default 8080)")
    option("--http2-port", "http2_port", int, "HTTP/2 port for http2_push, 0 for any free one (default 8081)")
    option("--tls-cert", "tls_cert", str, "certificate chain (PEM): serve HTTP/2 over TLS instead of cleartext")
    option("--tls-key", "tls_key", str, "its private key (PEM)")
    option("--schedule", "schedule", str, f"when messages are due: {FORMS} (default poisson:1)")
    option(
        "--start-at-ns", "start_at_ns", int, "instant of this machine's monotonic clock at which to start (default now)"
    )
    option("--message-bytes", "message_bytes", int, "length of the content (default 200)")
    option("--content", "content", str, f"what messages say, {', '.join(CONTENTS)}: how well they compress")
    option("--history", "history", int, "messages kept (default 10000)")
    option("--history-bytes", "history_bytes", int, "bytes of messages kept, at most (default 64000000)")
    option("--hold-timeout", "hold_timeout_s", float, "seconds a long poll is held, 1 to 300 (default 30)")
    p.add_argument("--hold-jitter", action="store_true", help="add up to a sixteenth, at random, to every hold")
    p.add_argument(
        "--one-per-response",
        action="store_true",
        help="answer a long poll with one message, not all that wait (?limit=N asks for another number)",
    )
    option("--heartbeat", "heartbeat_s", float, "longest silence on a stream in seconds, 0 for no end (default 15)")
    p.add_argument(
        "--compress",
        action="store_true",
        help="polls, JSON lines and SSE as gzip, flushed after each message, for clients that accept it",
    )
    option("--max-held", "max_held", int, "held long polls per client address, 0 for no limit (default)")
    option(
        "--rate-limit", "rate_limit_per_s", float, "requests/s per client address, bursts of twice that, 0 for no limit"
    )
    option(
        "--send-buffer",
        "send_buffer_bytes",
        int,
        "bytes a slow reader may lag before its stream is closed, 0: no limit",
    )
    option("--head-timeout", "head_timeout_s", float, "seconds a request's head may take, 0: no limit (default 30)")
    option("--body-timeout", "body_timeout_s", float, "seconds a request's body may take, 0: no limit (default 30)")
    option("--feed", "feed", str, f"where messages are kept, {', '.join(FEEDS)}: redis shares them with other servers")
    option("--redis", "redis", str, "URL of that Redis, such as redis://127.0.0.1:6379/0")
    option("--feed-name", "feed_name", str, "what the shared feed's keys in Redis begin with (default pollbench)")
    p.add_argument("--no-publish", dest="publish", action="store_false", help="leave the schedule to another server")
    option("--page", "page", str, f"how /index.html over HTTP/2 tells of its assets: {', '.join(PAGES)} (default push)")
    option("--page-think", "page_think_s", float, "seconds that page takes to be made (default 0)")
    option("--token", "token", str, "name of this server in /stats (default random)")
    option("--journal", "journal", str, "write id,due_ns,published_ns of every message to this CSV file")
    option("--keep", "keep", str, "keep messages in this file, and go on with them after a restart")
    option("--fault", "fault", str, f"be wrong on purpose, to test an instrument: {fault_specs.FORMS}")
    option("--fault-journal", "fault_journal", str, "write what the fault did to each message to this CSV file")
    option("--write-journal", "write_journal", str, "write when each message was sent to each client to this CSV file")
    p.add_argument("--announce-json", action="store_true", help="say what was bound as one line of JSON")
    return p


def announce_json(service: Service) -> None:
    paths = {name: patterns.load(name).PATH for name in service.names}
    line = {"event": "ready", **service.identity(), "patterns": paths}
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def announce_lines(service: Service) -> None:
    options = service.options
    reach = "this machine only" if is_loopback(options.host) else "other machines can reach it"
    host = reachable(options.host)
    lines = [f"listening on {options.host} ({reach}), {options.schedule}, stop with Ctrl-C"]
    if options.fault:
        lines.append(
            f"  FAULTY ON PURPOSE ({options.fault}): this server {fault_specs.parse_fault(options.fault).meaning}"
        )
    for name in service.names:
        pattern = patterns.load(name)
        port = service.http2_port if pattern.HTTP2 else service.http_port
        scheme = "https" if pattern.HTTP2 and options.tls_cert else "http"
        lines.append(f"  {pattern.LABEL:20} {scheme}://{authority(host, port or 0)}{pattern.PATH}")
    lines.append(f"  {'who is waiting':20} http://{authority(host, service.http_port or 0)}/stats")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def fail(code: int, wrong: Exception) -> int:
    sys.stderr.write(f"error: {wrong}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
