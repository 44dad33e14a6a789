"""The origin behind Pushpin, which says what is to be held open, and Pushpin in front of it. `pushpin_app.py PORT`."""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

CONFIG = """
[global]
include={{libdir}}/internal.conf
rundir={folder}
[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:{port}
logdir={folder}
log_level=1
client_maxconn=50000
[proxy]
zurl_out_specs=ipc://{folder}/pushpin-zurl-in
zurl_out_stream_specs=ipc://{folder}/pushpin-zurl-in-stream
zurl_in_specs=ipc://{folder}/pushpin-zurl-out
routesfile={folder}/routes
updates_check=off
[handler]
push_in_spec=ipc://{folder}/push
push_in_sub_specs=ipc://{folder}/push-sub
command_spec=ipc://{folder}/command
push_in_http_addr=127.0.0.1
push_in_http_port={control}
push_in_http_max_headers_size=10000
push_in_http_max_body_size=1000000
message_rate=100000
message_hwm=1000000
"""


class Origin(BaseHTTPRequestHandler):
    """GET /stream/CHANNEL is held as an event stream, GET /poll/CHANNEL until there is something to answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind, channel = self.path.split("/")[1:3]
        body, told = {
            "stream": (b"", {"Content-Type": "text/event-stream", "Grip-Hold": "stream"}),
            "poll": (b"[]", {"Content-Type": "text/plain", "Grip-Hold": "response", "Grip-Timeout": "25"}),
        }[kind]
        self.send_response(200)
        for name, value in {**told, "Grip-Channel": channel, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def main(port: int) -> int:
    origin = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    Thread(target=origin.serve_forever, daemon=True).start()
    folder, control = Path(tempfile.mkdtemp()), free_port()
    routes = f"*,path_beg=/publish/ 127.0.0.1:{control}\n* 127.0.0.1:{origin.server_port}\n"
    (folder / "routes").write_text(routes, encoding="utf-8")
    (folder / "pushpin.conf").write_text(CONFIG.format(folder=folder, port=port, control=control), encoding="utf-8")
    pushpin = subprocess.Popen(["pushpin", f"--config={folder / 'pushpin.conf'}"])
    signal.signal(signal.SIGTERM, lambda *_: pushpin.terminate())
    try:
        return pushpin.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
