"""One HTTP/2 connection: an asyncio protocol around h2's state machine, with the limits that h2 leaves to its user.

What comes in becomes events in h2, dispatched below to one method each. What goes out goes through the sender.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

from aiohttp import ClientConnectionResetError
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    PingReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
    UnknownFrameReceived,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes

from servers.http2.h2_server import ServerH2, is_malformed
from servers.http2.keepalive import Keepalive
from servers.http2.limits import Budget, Limits
from servers.http2.sender import Sender
from servers.http2.stream import Stream
from servers.web.unread import Unread

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NOT_HTTP2: Final = (
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
    b"This port speaks HTTP/2 only; try: curl --http2-prior-knowledge\n"
)
LAST_WORDS_S: Final = 1.0
"""How long a client may take to read why its connection ends."""

Serve = Callable[[Stream], None]


class Connection(asyncio.Protocol):
    """serve: called with each new stream. connections: where the connection enters itself while it lives."""

    def __init__(self, serve: Serve, limits: Limits, connections: set["Connection"], unread: Unread) -> None:
        self._serve = serve
        self._limits = limits
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._h2 = ServerH2(limits)
        self._keepalive = Keepalive(limits, self._loop.time())
        self._resets = Budget(limits.client_resets)
        self._controls = Budget(limits.control_frames)
        self._streams: dict[int, Stream] = {}
        self._preface_seen = False
        self._timer: asyncio.TimerHandle | None = None
        self.sender = Sender(self._h2, limits, self._room, unread)
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.transport: asyncio.Transport

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.sender.connected(self.transport)
        self._connections.add(self)
        ssl_object = transport.get_extra_info("ssl_object")
        if ssl_object is not None and ssl_object.selected_alpn_protocol() != "h2":
            self._end()  # RFC 9113 3.2: over TLS, HTTP/2 is spoken where ALPN has chosen it and nowhere else
            return
        if ssl_object is None:
            # Send at once: uvloop would hold small writes back to the end of the loop's turn, behind all other clients.
            # Under TLS this limit makes uvloop 0.22 pause a writer for good, after its first write.
            self.transport.set_write_buffer_limits(high=0)
        self._timer = self._loop.call_at(self._keepalive.next_s, self._watch)

    def data_received(self, data: bytes) -> None:
        if self.sender.over:
            return
        if not self._preface_seen:
            if data[: len(PREFACE)] != PREFACE[: len(data)]:
                self.transport.write(NOT_HTTP2)
                self._end()
                return
            self._preface_seen = True
            self._h2.start(self._limits)
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:  # h2 has queued the GOAWAY that says which
            self.sender.flush()
            self._end()
            return
        self._dispatch(events)
        self.sender.flush()
        self._offer_push_room()
        self._keepalive.received(self._loop.time(), self._h2.incoming_buffer.unfinished)
        if self._timer is not None and self._keepalive.next_s < self._timer.when() and not self.sender.over:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._keepalive.next_s, self._watch)

    def pause_writing(self) -> None:
        self.sender.writable = False
        self.sender.account()

    def resume_writing(self) -> None:
        self.sender.writable = True
        self.sender.flush()
        for stream in list(self._streams.values()):
            stream.room()
        self._offer_push_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self.sender.over = True
        self.sender.account()
        self._connections.discard(self)
        self.closed.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
        for stream in list(self._streams.values()):
            stream.lost(exc or ClientConnectionResetError("the client has gone"))

    # What the server calls.

    def drain(self) -> None:
        """Take no new streams, let the open ones finish, then close (RFC 9113 6.8)."""
        if self.sender.draining or self.sender.over:
            return
        self.sender.draining = True
        if self._preface_seen:
            self.sender.write_after_h2(self._h2.goaway())
        if not self._streams:
            self._end()

    def cancel_streams(self) -> None:
        """Give up on handlers that have not ended by themselves."""
        for stream in list(self._streams.values()):
            stream.reset(ErrorCodes.CANCEL)

    # One method per event.

    def _dispatch(self, events: list[Event]) -> None:
        for event in events:
            handle = _HANDLERS.get(type(event))
            if handle is not None and not self.sender.over:
                handle(self, event)

    def _on_request(self, event: RequestReceived) -> None:
        if is_malformed(event.headers):
            self.sender.reset(event.stream_id, ErrorCodes.PROTOCOL_ERROR)
            self._charge_reset()
            return
        if self.sender.draining or len(self._streams) >= self._limits.streams:
            self.sender.reset(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        stream = Stream(
            self.sender,
            event.stream_id,
            event.headers,
            request_ended=event.stream_ended is not None,
            on_finished=self._on_stream_finished,
        )
        self._streams[stream.id] = stream
        self._serve(stream)

    def _on_stream_finished(self, stream: Stream) -> None:
        del self._streams[stream.id]
        self._keepalive.used(self._loop.time())
        if self.sender.draining and not self._streams:
            self._end()

    def _on_data(self, event: DataReceived) -> None:
        if not event.data and event.stream_ended is None:
            self._charge_control(event)
        stream = self._streams.get(event.stream_id)
        if stream is None:
            self.sender.acknowledge(event.stream_id, event.flow_controlled_length)
        else:
            stream.received(event.data, event.flow_controlled_length)

    def _on_request_end(self, event: StreamEnded) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.received_end()

    def _on_reset(self, event: StreamReset) -> None:
        self.sender.forget(event.stream_id)
        if event.stream_id % 2 == 0:
            return  # a push the client does not want
        stream = self._streams.get(event.stream_id)
        if stream is not None:
            stream.lost(ClientConnectionResetError("the client has reset the stream"))
        self._charge_reset()

    def _charge_reset(self) -> None:
        if not self._resets.spend(self._loop.time()):
            self._fail(ErrorCodes.ENHANCE_YOUR_CALM, "too many resets")

    def _on_settings(self, event: RemoteSettingsChanged) -> None:
        if self.sender.client_settings is None:
            settings = event.changed_settings.values()
            self.sender.client_settings = {setting_name(each.setting): each.new_value for each in settings}
        self._charge_control(event)

    def _on_settings_ack(self, event: SettingsAcknowledged) -> None:
        self._keepalive.settings_acknowledged()
        self._charge_control(event)

    def _on_ping_ack(self, event: PingAckReceived) -> None:
        self._keepalive.ping_acknowledged()
        self._charge_control(event)

    def _charge_control(self, _event: Event) -> None:
        if not self._controls.spend(self._loop.time()):
            self._fail(ErrorCodes.ENHANCE_YOUR_CALM, "too many control frames")

    def _on_goaway(self, event: ConnectionTerminated) -> None:
        """RFC 9113 6.8: the client opens nothing more, and takes no more pushes; what it asked for it still reads."""
        if event.error_code != ErrorCodes.NO_ERROR:
            self._end()
        self.drain()

    # How it ends.

    def _watch(self) -> None:
        decision = self._keepalive.decide(self._loop.time(), len(self._streams))
        if decision == "ping":
            self._h2.ping(b"pollping")
            self.sender.flush()
        elif decision == "ping timeout":
            self.transport.abort()
        elif decision == "settings timeout":
            self._fail(ErrorCodes.SETTINGS_TIMEOUT, "SETTINGS were not acknowledged")
        elif decision == "late":
            self._fail(ErrorCodes.ENHANCE_YOUR_CALM, "a frame or the fields of a request did not come whole in time")
        elif decision == "idle":
            self.drain()
        if not self.sender.over:
            self._timer = self._loop.call_at(self._keepalive.next_s, self._watch)

    def _fail(self, error_code: ErrorCodes, reason: str) -> None:
        self._h2.close_connection(error_code, additional_data=reason.encode("ascii"))
        self.sender.flush()
        self._end()

    def _end(self) -> None:
        """Close once what was written has left; cut it off when the client does not read it."""
        if not self.sender.over:
            self.sender.over = True
            self.transport.close()
            self._loop.call_later(LAST_WORDS_S, self.transport.abort)

    def _room(self, stream_id: int) -> None:
        if stream_id in self._streams:
            self._streams[stream_id].room()

    def _offer_push_room(self) -> None:
        for stream in list(self._streams.values()):
            if stream.on_push_room is not None:
                stream.on_push_room()


def setting_name(code: int) -> str:
    """Return a setting's name as RFC 9113 section 6.5.2 has it, or its number: clients send unknown ones on purpose."""
    return SettingCodes(code).name if code in set(SettingCodes) else f"0x{code:04x}"


_HANDLERS: Final[dict[type[Event], Callable[[Connection, Any], None]]] = {
    RequestReceived: Connection._on_request,
    DataReceived: Connection._on_data,
    StreamEnded: Connection._on_request_end,
    StreamReset: Connection._on_reset,
    SettingsAcknowledged: Connection._on_settings_ack,
    PingAckReceived: Connection._on_ping_ack,
    PingReceived: Connection._charge_control,
    RemoteSettingsChanged: Connection._on_settings,
    PriorityUpdated: Connection._charge_control,
    UnknownFrameReceived: Connection._charge_control,
    ConnectionTerminated: Connection._on_goaway,
}
