"""What every command line does alike: errors become a line and an exit code.

Exit codes: 0 done, 1 error, 2 usage or config, 3 not in sync in time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from leftzmq.cli.lines import printable
from leftzmq.errors import Declined, LeftError, UsageError


def guarded(name: str, main: Callable[[], int]) -> int:
    """Run a command; what it could not do is said on stderr."""
    try:
        return main()
    except LeftError as error:
        # What a user typed, or another device named: it must not steer the terminal.
        text = printable(error) if isinstance(error, Declined | UsageError) else error
        print(f"{name}: {text}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # stdout was closed (`| head`): nothing is left to say, and nothing to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
