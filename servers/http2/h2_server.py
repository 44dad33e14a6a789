"""PURE. h2's connection, set up as a server, with what h2 4.4 gets wrong for one put right.

Each correction names what h2 does; they are the reason for pinning its minor version in pyproject.toml.
"""

import re
from collections.abc import Iterable
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event
from h2.exceptions import FrameDataMissingError, ProtocolError
from h2.frame_buffer import FrameBuffer
from h2.settings import SettingCodes, Settings
from hpack import Decoder, HeaderTuple, HPACKError, OversizedHeaderListError
from hyperframe.frame import Frame, GoAwayFrame, SettingsFrame

from servers.http2.limits import Limits

_UNADVERTISED_STREAMS: Final = 1_000


_ACK: Final = 0x1
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class CompressionError(ProtocolError):
    """A header block that cannot be decoded (RFC 9113 4.3); for h2 it is any breach of the protocol."""

    error_code = ErrorCodes.COMPRESSION_ERROR


class StrictDecoder(Decoder):
    """HPACK, with an error of its own for what it cannot decode."""

    def decode(self, data: bytes, raw: bool = False) -> list[HeaderTuple]:
        try:
            return list(super().decode(data, raw))
        except OversizedHeaderListError:
            raise
        except HPACKError as wrong:
            raise CompressionError(str(wrong)) from wrong


class StrictFrameBuffer(FrameBuffer):
    """Refuses frames by their heads: too long ones, which h2 reads first, up to 16 MiB of them; and what it takes:
    a first frame that is not SETTINGS (RFC 9113 3.4), an acknowledgement of SETTINGS with a payload (6.5).
    """

    def __init__(self) -> None:
        super().__init__(server=True)
        self._whole = 0

    @property
    def unfinished(self) -> int | None:
        """The number of the frame, or block of headers, that has begun and is not whole; None between two."""
        return self._whole if self._data or self._headers_buffer or not self._whole else None

    def __next__(self) -> Frame:
        head = self._data[:5]
        if len(head) >= 3:
            self._validate_frame_length(length := int.from_bytes(head[:3], "big"))
        if len(head) == 5:
            is_settings, is_ack = head[3] == SettingsFrame.type, bool(head[4] & _ACK)
            if not self._whole and (is_ack or not is_settings):
                raise ProtocolError("the first frame must be SETTINGS")
            if is_settings and is_ack and length:
                raise FrameDataMissingError("an acknowledgement of SETTINGS has no payload")
        frame = super().__next__()
        self._whole += 1
        return frame


class ServerH2(H2Connection):
    """An h2 connection on the server's side. Our own fields are known to be good, so they go out unchecked."""

    MAX_CLOSED_STREAMS = 256
    """h2 remembers 65,536 closed streams, 0.1 kB each, for the sake of frames that were in flight."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(
            H2Configuration(client_side=False, validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self.local_settings = Settings(client=False, initial_values=_settings(limits, limits.streams))
        self.decoder = StrictDecoder(max_header_list_size=limits.header_list_bytes)
        self.incoming_buffer: StrictFrameBuffer = StrictFrameBuffer()

    def start(self, limits: Limits) -> None:
        """Queue our SETTINGS.

        A stream too many is a stream error (RFC 9113 5.1.2), for h2 it ends the connection. So the client is told
        the limit, h2 is told a higher one, and the connection refuses what lies between.
        """
        self.initiate_connection()
        self.local_settings = Settings(client=False, initial_values=_settings(limits, _UNADVERTISED_STREAMS))

    def goaway(self) -> bytes:
        """Return a GOAWAY with NO_ERROR (RFC 9113 6.8). Sent through h2, it would be the last thing h2 sends."""
        return GoAwayFrame(last_stream_id=self.highest_inbound_stream_id).serialize()

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        """A client that leaves in peace still reads the responses it asked for; h2 would drop them."""
        if frame.error_code != ErrorCodes.NO_ERROR:
            return super()._receive_goaway_frame(frame)
        event = ConnectionTerminated()
        event.error_code = ErrorCodes.NO_ERROR
        event.last_stream_id = frame.last_stream_id
        return [], [event]


def is_malformed(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    """Find what h2 takes and 8.3.1 does not: an authority that is empty or names a user, a method that is no token."""
    for name, value in fields:
        if name in {b":authority", b"host"} and (not value or b"@" in value):
            return True
        if name == b":method" and not _TOKEN.fullmatch(value):
            return True
    return False


def _settings(limits: Limits, streams: int) -> dict[SettingCodes, int]:
    return {
        SettingCodes.MAX_CONCURRENT_STREAMS: streams,
        SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_list_bytes,
    }
