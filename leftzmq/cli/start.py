"""Where the commands begin: from here on Ctrl-C is quiet, then the rest is imported.

Must import nothing that takes a moment: what comes before it is interrupted with a traceback.
"""

import os

INTERRUPTED = 130

try:
    import signal
    from collections.abc import Callable
except KeyboardInterrupt:
    os._exit(INTERRUPTED)


class Importing:
    """Within it Ctrl-C ends the process at once. A KeyboardInterrupt would not: half-way through an
    import some code turns it into another error, and some swallows it."""

    def __enter__(self) -> None:
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is not signal.SIG_IGN:  # nohup, and what a shell starts with &
            signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)


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
