"""What commands exit with, and what it means."""

from typing import Final

DONE, FAILED, USAGE, UNREACHABLE, INCOMPLETE, INVALID, UNTRUE, UNWRITTEN, INTERRUPTED = 0, 1, 2, 3, 4, 7, 8, 74, 130
EPILOG: Final = (
    "Exit codes: 0 done; 1 a cell failed, the others are kept and reported; 2 wrong option or unreadable input; "
    "3 server not reachable, not ours, or its port taken; 4 the run is incomplete, finished cells are kept; "
    "7 nothing may be decided from the run: its verdict is INVALID or FAIL; "
    "74 the result could not be written to stdout; "
    "130 interrupted (Ctrl-C, SIGTERM, a closed terminal), finished cells are kept and reported."
)
