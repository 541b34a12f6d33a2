"""Where the commands begin: from here on Ctrl-C is quiet, then the rest is imported.

Must import nothing that takes a moment: what comes before it is interrupted with a traceback.
"""

import os

try:
    import signal
    from collections.abc import Callable

    from leftzmq.cli.importing import INTERRUPTED, Importing
except KeyboardInterrupt:
    os._exit(130)


def admin() -> int:
    return _run(_admin)


def agent() -> int:
    return _run(_agent)


def monitor() -> int:
    return _run(_monitor)


def _admin() -> int:
    with Importing():
        from leftzmq.cli.admin import main
    return main()


def _agent() -> int:
    with Importing():
        from leftzmq.cli.agent import main
    return main()


def _monitor() -> int:
    with Importing():
        from leftzmq.cli.monitor import main
    return main()


def _run(command: Callable[[], int]) -> int:
    try:
        return command()
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        # How it ended is known. What Python does at the very end is not to be interrupted aloud.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
