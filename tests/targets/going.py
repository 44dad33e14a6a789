"""What may stand before a server: one that leads elsewhere, and a proxy. `python going.py PORT LOG`.

/STATUS/URL is answered with that status, and leads to that URL; what names another server is passed on to it. What it
is asked goes into LOG, a line each: method, target, and the headers that may say who asks.
"""

import asyncio
import sys
from pathlib import Path

TOLD = ("authorization", "accept-encoding", "last-event-id", "x-team")


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            first, _, rest = head.decode("latin-1").partition("\r\n")
            fields = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest.split("\r\n"))}
            method, target, _ = first.split(" ")
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            told = " ".join(f"{name}={fields[name]}" for name in TOLD if name in fields)
            note(f"{method} {target} {told}\n")
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await pass_on(reader, writer, target, b"")
            elif target.startswith("http://"):
                await pass_on(reader, writer, target.split("/")[2], head + body)
            else:
                _, status, where = target.split("/", 2)
                writer.write(f"HTTP/1.1 {status} Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode())
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def note(line: str) -> None:
    with Path(sys.argv[2]).open("a", encoding="utf-8") as log:
        log.write(line)


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: str, first: bytes) -> None:
    host, _, port = to.rpartition(":")
    back, out = await asyncio.open_connection(host, int(port))
    out.write(first)
    await asyncio.gather(pump(reader, out), pump(back, writer))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


async def serve(port: int) -> None:
    server = await asyncio.start_server(handle, "127.0.0.1", port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
