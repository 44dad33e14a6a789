"""Exit codes of commands, and their meaning."""

from typing import Final

DONE, FAILED, USAGE, UNREACHABLE, INCOMPLETE, INVALID, UNTRUE, UNWRITTEN, INTERRUPTED = 0, 1, 2, 3, 4, 7, 8, 74, 130
EPILOG: Final = (
    "Exit codes: 0 done; 1 a cell failed, the others are kept and reported; 2 wrong option or unreadable input; "
    "3 server not reachable, not the expected one, or its port in use; 4 the run is incomplete, finished cells are "
    "kept; "
    "7 do not decide anything from the run: its verdict is INVALID or FAIL; "
    "74 the result could not be written to stdout; "
    "130 interrupted (Ctrl-C, SIGTERM, a closed terminal), finished cells are kept and reported."
)
