"""PURE. The servers that `pollbench peers` runs: what starts each, how it is followed, and what must be there."""

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Final, NamedTuple

HERE: Final = Path(__file__).parent


class Peer(NamedTuple):
    """needs: packages, as `pip:NAME`, `npm:NAME` and `deb:NAME`, those first that the title names; `bin:NAME` is a
    program. target: a preset, or a file beside this one. start: the command, in which `$here` is this folder, `$venv`
    and `$node` are where packages of pip and npm lie.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    target: str
    start: str

    def named(self) -> str:
        """Return what `--target` takes."""
        return str(HERE / self.target) if self.target.endswith(".toml") else self.target

    def command(self, folder: Path) -> str:
        """Return what starts it, where its packages lie in a folder."""
        node = folder / "node_modules"
        return Template(self.start).substitute(
            here=HERE, venv=folder / "venv" / "bin", node=f"env NODE_PATH={node} node"
        )


UVICORN: Final = "$venv/uvicorn --app-dir $here --host 127.0.0.1 --port {{port}} --log-level warning"
PEERS: Final[Sequence[Peer]] = (
    Peer("nchan", "nginx, nchan", ("deb:nginx", "deb:libnginx-mod-nchan"), "nchan", "sh $here/nchan.sh {{port}}"),
    Peer("pushpin", "Pushpin", ("deb:pushpin", "bin:python3"), "pushpin", "python3 $here/pushpin_app.py {{port}}"),
    Peer(
        "durable-streams",
        "Durable Streams server",
        ("npm:@durable-streams/server", "bin:node"),
        "durable-streams",
        "$node $here/durable_streams_app.js {{port}}",
    ),
    Peer(
        "fastapi",
        "FastAPI, sse-starlette, uvicorn",
        ("pip:fastapi", "pip:sse-starlette", "pip:uvicorn", "pip:uvloop", "pip:httptools", "pip:websockets"),
        "fastapi.toml",
        f"{UVICORN} fastapi_app:app",
    ),
    Peer(
        "flask",
        "Flask, gunicorn, gevent",
        ("pip:flask", "pip:gunicorn", "pip:gevent"),
        "flask.toml",
        "$venv/gunicorn --chdir $here -k gevent --bind 127.0.0.1:{{port}} --log-level warning flask_app:app",
    ),
    Peer(
        "starlette",
        "Starlette, uvicorn",
        ("pip:starlette", "pip:uvicorn", "pip:uvloop", "pip:httptools", "pip:websockets"),
        "websocket",
        f"{UVICORN} starlette_app:app",
    ),
    Peer("tornado", "Tornado", ("pip:tornado",), "tornado.toml", "$venv/python $here/tornado_app.py {{port}}"),
    Peer(
        "python-socketio",
        "python-socketio, uvicorn",
        ("pip:python-socketio", "pip:uvicorn", "pip:uvloop", "pip:httptools", "pip:websockets"),
        "socketio",
        f"{UVICORN} socketio_app:app",
    ),
    Peer(
        "aiohttp",
        "aiohttp, aiohttp-sse",
        ("pip:aiohttp", "pip:aiohttp-sse"),
        "aiohttp.toml",
        "$venv/python $here/aiohttp_app.py {{port}}",
    ),
    Peer("websockets", "websockets", ("pip:websockets",), "websocket", "$venv/python $here/websockets_app.py {{port}}"),
    Peer(
        "channels",
        "Django Channels, Daphne",
        ("pip:channels", "pip:daphne", "pip:django"),
        "websocket",
        "env PYTHONPATH=$here $venv/daphne -b 127.0.0.1 -p {{port}} -v 0 channels_app:application",
    ),
    Peer("ws", "ws", ("npm:ws", "bin:node"), "websocket", "$node $here/ws_app.js {{port}}"),
    Peer("express", "Express", ("npm:express", "bin:node"), "express.toml", "$node $here/express_app.js {{port}}"),
    Peer("socket.io", "Socket.IO", ("npm:socket.io", "bin:node"), "socketio", "$node $here/socketio_app.js {{port}}"),
)
