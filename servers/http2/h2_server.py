"""PURE. h2's connection, set up as a server, with what h2 4.4 gets wrong for one put right.

Each correction names what h2 does; they are the reason for pinning its minor version in pyproject.toml.
"""

from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event
from h2.frame_buffer import FrameBuffer
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame, GoAwayFrame

from servers.http2.limits import Limits

_UNADVERTISED_STREAMS: Final = 1_000


class PromptFrameBuffer(FrameBuffer):
    """Refuses a frame that is too long by its head. h2 does so once it has the whole frame, up to 16 MiB of it."""

    def __next__(self) -> Frame:
        if len(self._data) >= 3:
            self._validate_frame_length(int.from_bytes(self._data[:3], "big"))
        return super().__next__()


class ServerH2(H2Connection):
    """An h2 connection on the server's side. Our own fields are known to be good, so they go out unchecked."""

    MAX_CLOSED_STREAMS = 256
    """h2 remembers 65,536 closed streams, 0.1 kB each, for the sake of frames that were in flight."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(
            H2Configuration(client_side=False, validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self.local_settings = Settings(client=False, initial_values=_settings(limits, limits.streams))
        self.decoder.max_header_list_size = limits.header_list_bytes
        self.incoming_buffer = PromptFrameBuffer(server=True)

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


def _settings(limits: Limits, streams: int) -> dict[SettingCodes, int]:
    return {
        SettingCodes.MAX_CONCURRENT_STREAMS: streams,
        SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_list_bytes,
    }
