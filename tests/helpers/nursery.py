"""A process that has imported what agents and commands import, and forks one at each request.

An agent's imports alone take 0.2 s of CPU, and tests start hundreds of agents. Each is still a
process of its own: with its pid, words, environment, working directory, standard streams, session
and signals. It runs its module as `python -m MODULE WORDS` does, and ends as that does. Three
things are not as after a start of Python. Hashes of text have the seed of the nursery.
/proc/PID/environ shows the variables of the nursery. The parent is the nursery.

Knows how a new process of Python begins and ends. Must not know who asks (tests/helpers/processes),
nor what a test tries out. It starts no thread and opens neither a file, a database nor a context of
zmq: a child would share them.

Two tests show that agents and commands also run where all is imported anew, and must stay so:
`test_a_log_that_nobody_reads_does_not_stop_it` (tests/agents/test_log.py), whose agent a shell
starts, and `test_an_error_that_nobody_hears_is_a_code` (tests/unit/cli/test_output.py), whose
commands a shell starts.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TextIO

MODULES: Final = ("leftzmq.cli.agent", "leftzmq.cli.admin", "leftzmq.cli.monitor")
"""What a child may become. Not leftzmq.cli.start, which does things at its import."""
REQUEST_BYTES: Final = 1 << 20
DESCRIPTORS: Final = 4
"""Of a request: what is to be 0, 1 and 2, and the socket for the answers."""
BEGUN, ENDED = b"begun", b"ended"
"""Answers. The child says its pid when it is as a new process is. The nursery says its exit code,
as subprocess has it."""
_LATE_IMPORTS: Final = (
    "leftzmq.cli.status",
    "leftzmq.cli.health.doctor",
    "leftzmq.cli.health.fleet",
    "leftzmq.cli.service.check",
    "leftzmq.transport.door.visitor",
)
"""What commands import when they need it."""
_ARG_START: Final = 45  # of /proc/self/stat, behind the name: arg_start and arg_end (proc(5))
_NOT_FLUSHED: Final = 120  # the exit code of Python whose standard output cannot be written
_INTERRUPTS_WERE: Final = signal.getsignal(signal.SIGINT)


@dataclass(frozen=True)
class Birth:
    """What a child is to be. words: with the interpreter, "-m" and the module before them."""

    words: list[str]
    env: dict[str, str]
    cwd: str
    umask: int
    start_new_session: bool

    def encoded(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decoded(cls, data: bytes) -> Birth:
        return cls(**json.loads(data))

    @property
    def module(self) -> str:
        return self.words[2]

    def settle(self) -> None:
        """Make this process what the request says."""
        if self.start_new_session:
            os.setsid()
        os.umask(self.umask)
        os.chdir(self.cwd)
        os.environ.clear()
        os.environ.update(self.env)
        time.tzset()
        _show_words(self.words)
        sys.orig_argv = list(self.words)
        sys.argv = self.words[2:]
        sys.path[0] = os.getcwd()  # as for each `python -m`
        _renew_streams()
        if _INTERRUPTS_WERE is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)


class Nursery:
    """The process that forks. owner: a socket; when its other end is closed, the nursery ends."""

    def __init__(self, owner: socket.socket) -> None:
        self._owner = owner
        self._ready = selectors.DefaultSelector()
        self._ready.register(owner, selectors.EVENT_READ)

    def serve(self) -> tuple[Birth, socket.socket]:
        """Return in each child what it is to be, and where it says so. The nursery never returns:
        it ends with its owner, and its children go on."""
        while True:
            for key, _ in self._ready.select():
                if key.data is not None:
                    self._ended(key)
                elif (asked := self._asked()) is not None:
                    return asked

    def _asked(self) -> tuple[Birth, socket.socket] | None:
        """Fork for a request. Return what is to be, but only in the child."""
        data, given, _, _ = socket.recv_fds(self._owner, REQUEST_BYTES, DESCRIPTORS)
        if not data:
            os._exit(0)
        *streams, answers = given
        pid = os.fork()
        if not pid:
            self._forget()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            os.closerange(3, answers)
            os.closerange(answers + 1, os.sysconf("SC_OPEN_MAX"))
            return Birth.decoded(data), socket.socket(fileno=answers)
        for stream in streams:
            os.close(stream)
        child = pid, socket.socket(fileno=answers)
        self._ready.register(os.pidfd_open(pid), selectors.EVENT_READ, child)
        return None

    def _ended(self, key: selectors.SelectorKey) -> None:
        pid, answers = key.data
        _, status = os.waitpid(pid, 0)
        self._ready.unregister(key.fileobj)
        os.close(key.fd)
        with answers, suppress(OSError):  # nobody waits for it any more
            answers.send(b"%s %d" % (ENDED, os.waitstatus_to_exitcode(status)))

    def _forget(self) -> None:
        """In a child: close what is the nursery's. A socket that lives on would close its number
        later, when that is another file's."""
        for key in self._ready.get_map().values():
            if key.data is not None:
                key.data[1].close()
        self._ready.close()
        self._owner.close()


def import_all() -> None:
    for name in (*MODULES, *_LATE_IMPORTS):
        importlib.import_module(name)
    for name in MODULES:
        del sys.modules[name]  # a child runs one of them as `__main__`, and must not find it


def _show_words(words: list[str]) -> None:
    """Write the words where `ps`, `leftzmq down` and the demo read them: over those of the nursery,
    which has one long word to make room."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(field) for field in fields[_ARG_START : _ARG_START + 2])
    text = b"".join(os.fsencode(word) + b"\0" for word in words)
    if len(text) > end - start:
        raise ValueError("there is no room for so many words")
    ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)


def _renew_streams() -> None:
    """Open the standard streams as Python does when it begins."""
    sys.stdin = sys.__stdin__ = _opened(0, sys.stdin)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _opened(1, sys.stdout)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _opened(2, sys.stderr)  # type: ignore[misc]


def _opened(number: int, before: Any) -> io.TextIOWrapper:
    at_once = before.write_through  # PYTHONUNBUFFERED
    buffering = 0 if at_once and before.mode == "w" else -1
    binary: Any = open(number, f"{before.mode}b", buffering, closefd=False)  # noqa: SIM115
    getattr(binary, "raw", binary).name = before.name
    by_line = not at_once and (number == 2 or os.isatty(number))
    text: Any = io.TextIOWrapper(binary, before.encoding, before.errors, "\n", by_line, at_once)
    text.mode = before.mode
    return text  # type: ignore[no-any-return]


def run(module: str) -> int:
    """Run a module as `python -m` does, up to the last thing that Python does for it. Return the
    exit code."""
    interrupted, code = False, 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = _code_of(end)
    except BaseException as error:
        interrupted, code = isinstance(error, KeyboardInterrupt), 1
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as Python does
    atexit._run_exitfuncs()
    if not all([_flushed(sys.stdout), _flushed(sys.stderr)]):
        code = _NOT_FLUSHED
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return code


def _code_of(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1


def _flushed(stream: TextIO | None) -> bool:
    try:
        if stream is not None and not stream.closed:
            stream.flush()
    except Exception as error:
        if stream is sys.stdout:
            what = "".join(traceback.format_exception_only(error))
            print(f"Exception ignored in: {stream!r}\n{what}", end="", file=sys.stderr)
        return False
    return True


def main() -> None:
    """Serve the socket whose descriptor is the first word."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for tests; a child has its own again
    import_all()
    gc.collect()
    gc.freeze()  # a child's collector would copy each page of what is imported
    birth, answers = Nursery(socket.socket(fileno=int(sys.argv[1]))).serve()
    code = 1
    try:
        with answers:
            birth.settle()
            answers.send(b"%s %d" % (BEGUN, os.getpid()))
        code = run(birth.module)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
