"""The client of HTTP/2 push for the contract test, on h2 (see tests/test_contract.py)."""

from collections.abc import AsyncGenerator

import msgspec

from tests.http1 import Line
from tests.http2.h2_peer import Response, connected
from tests.server_process import ServerProcess

PATH = "/api/updates"


async def messages(server: ServerProcess, last_id: int) -> AsyncGenerator[Line, None]:
    assert server.http2_port is not None
    async with connected(server.http2_port) as peer:
        updates = peer.streams[peer.request(f"{PATH}?last_id={last_id}")]
        await peer.until(lambda: bool(updates.headers))
        assert updates.headers["x-updates-mode"] == "pushed"
        if "x-cursor" in updates.headers:
            yield {"type": updates.headers["x-cursor"], "first_id": int(updates.headers["x-first-id"])}
        seen: list[Response] = []
        while True:
            await peer.until(lambda: len(peer.pushed()) > len(seen) or ended(updates))
            for pushed in peer.pushed()[len(seen) :]:
                seen.append(pushed)
                line = msgspec.json.decode(pushed.body)
                assert pushed.promised[":path"] == f"/api/messages/{line['id']}"
                yield line
            if ended(updates):
                if "x-closed-reason" in updates.trailers:
                    yield {"type": "closed", "reason": updates.trailers["x-closed-reason"]}
                return


def ended(updates: Response) -> bool:
    return updates.ended or updates.reset is not None
