"""The entry points of the commands: handles Ctrl-C from its own import on, then imports the rest.

Must not import anything that takes a moment: an interrupt before this module ends with a traceback.
Only entry points import it: from then on Ctrl-C ends the process at once, in any state. That is
right for all commands but two. The demo and the agent have something to clean up, and have handlers
of their own.
"""

import os

try:
    import signal
    from collections.abc import Callable

    from leftzmq.cli.importing import INTERRUPTED, Importing, keep_descriptors

    keep_descriptors()
    Importing().__enter__()
except KeyboardInterrupt:
    os._exit(130)


def admin() -> int:
    from leftzmq.cli.admin import main

    return _run(main)


def agent() -> int:
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # until the agent can report them
    from leftzmq.cli.agent import main

    return _run(main)


def monitor() -> int:
    from leftzmq.cli.monitor import main

    return _run(main)


def _run(main: Callable[[], int]) -> int:
    try:
        return main()
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        # The exit code is known. Ctrl-C must not print a traceback while Python ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
