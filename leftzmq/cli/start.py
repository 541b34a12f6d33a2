"""Where the commands begin: from the import of this on Ctrl-C is quiet, then the rest is imported.

Must import nothing that takes a moment: what comes before it is interrupted with a traceback. Only
entry points import it: from then on Ctrl-C ends the process at once, whatever it does. That is
right for all commands but two, the demo and the agent, which have something to clean up, and
handlers of their own.
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
        signal.signal(number, signal.SIG_IGN)  # until the agent can say that they came
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
        # How it ended is known. What Python does at the very end is not to be interrupted aloud.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
