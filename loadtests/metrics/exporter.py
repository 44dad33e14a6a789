"""Gives the tally away once a second: to Prometheus, which asks, and to an OpenTelemetry collector, which is told."""

import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.error import URLError

from loadtests.metrics import otlp, prometheus
from loadtests.metrics.family import MetricFamily
from servers.home import VERSION
from servers.settings.units import parse_port
from servers.web.urls import read_url

EACH_S: Final = 1.0
LINGER_S: Final = 20.0
"""How long the last figures wait for a Prometheus that has asked before."""
TIMEOUT_S: Final = 2.0
FORMS: Final = "prometheus:PORT (scraped) or otlp:URL (sent once a second)"
Families = Callable[[], list[MetricFamily]]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where metrics are to go. port: to be scraped at, 0 for any; url: of a collector."""

    port: int | None = None
    url: str = ""


def parse_metrics(texts: Iterable[str]) -> Destination:
    """Read what --metrics was given. Raises ValueError naming option, value and remedy."""
    asked = Destination()
    for text in texts:
        kind, _, where = text.partition(":")
        if kind == "prometheus" and asked.port is None:
            asked = Destination(parse_port("--metrics", where), asked.url)
        elif kind == "otlp" and not asked.url:
            asked = Destination(asked.port, str(read_url(where, "metrics")))
        else:
            raise ValueError(f"--metrics {text!r}: write {FORMS}, each once")
    return asked


class Exporter:
    """Serves, and tells, until it is closed. read: called once a second, for what is new; families: what is known.

    lock: held while either is called; refused: why the collector took nothing the last time, "" where it did.
    """

    def __init__(self, asked: Destination, read: Callable[[], None], families: Families) -> None:
        """Raises ValueError for a port that is taken."""
        self._asked, self._read, self._families = asked, read, families
        self._since_ns = time.time_ns()
        self._over = threading.Event()
        self._scraped = threading.Event()
        self.lock = threading.Lock()
        self.refused = ""
        self._server = self._listening() if asked.port is not None else None
        self._threads = [threading.Thread(target=self._follow, daemon=True)]
        if self._server is not None:
            self._threads.append(threading.Thread(target=self._server.serve_forever, daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        """Where it is scraped, "" for nowhere."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/metrics" if self._server else ""

    def refresh(self) -> None:
        """Read what is new now."""
        with self.lock:
            self._read()

    def close(self) -> None:
        """Tell the last figures, and wait a little for a Prometheus that has asked before."""
        self._over.set()
        self._threads[0].join()
        self._tell()
        if self._server is not None:
            if self._scraped.is_set():
                self._scraped.clear()
                self._scraped.wait(LINGER_S)
            self._server.shutdown()
            self._server.server_close()

    def _follow(self) -> None:
        while not self._over.wait(EACH_S):
            self.refresh()
            self._tell()

    def _known(self) -> list[MetricFamily]:
        with self.lock:
            return self._families()

    def _tell(self) -> None:
        """Send what is known to the collector. One that does not answer is told the next time, as counts are sums."""
        if not self._asked.url:
            return
        content = otlp.payload(self._known(), self._since_ns, time.time_ns(), VERSION)
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._asked.url.rstrip('/')}/v1/metrics", content, headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310 - http or https, see read_url
                self.refused = ""
        except (URLError, OSError) as wrong:
            self.refused = str(getattr(wrong, "reason", wrong))

    def _listening(self) -> ThreadingHTTPServer:
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                exporter._answer(self)

            def log_message(self, *_: object) -> None:
                """Scrapes are no news."""

        try:
            server = ThreadingHTTPServer(("127.0.0.1", self._asked.port or 0), Handler)
        except OSError as wrong:
            raise ValueError(
                f"--metrics prometheus:{self._asked.port}: {os.strerror(wrong.errno or 0)}; choose another port"
            ) from None
        server.daemon_threads = True
        return server

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.path.partition("?")[0] != "/metrics":
            handler.send_error(404, "metrics are at /metrics")
            return
        families = self._known()
        if prometheus.wants_protobuf(handler.headers.get("Accept", "")):
            kind, content = prometheus.PROTOBUF, prometheus.protobuf(families)
        else:
            kind, content = prometheus.TEXT, prometheus.text(families).encode()
        with suppress(OSError):  # who asked may have gone
            handler.send_response(200)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)
        self._scraped.set()
