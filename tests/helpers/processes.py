"""Starts processes for tests as `subprocess` does: agents and commands by a fork of the nursery,
everything else by exec.

`start` and `run` take the words and options of `subprocess.Popen` and `subprocess.run`. A fork is
made only for what would be the same after an exec. What is wrapped in another program, what gives
the interpreter an option or a variable of its own, and all on a system without such forks, is
started by exec. A test of the start itself calls `subprocess`.

Knows the interface of subprocess, not its private parts. Must not know what a test tries out.
"""

from __future__ import annotations

import io
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, AnyStr, Final, Generic, Literal, TypeAlias, overload

from tests.helpers.nursery import BEGUN, ENDED, MODULES, Birth

_ROOT: Final = Path(__file__).parents[2]
_CAN_FORK: Final = sys.platform == "linux" and hasattr(socket, "SCM_RIGHTS")
_FORKED_OPTIONS: Final = {"stdin", "stdout", "stderr", "text", "cwd", "env", "start_new_session"}
_READ_AT_A_START: Final = (
    "PYTHON",
    "LC_",
    "LANG",
    "LD_",
    "MALLOC_",
    "GLIBC_",
    "MSGPACK_",
    "PYZMQ_",
)
"""How the variables begin that the loader, Python and its libraries read when they begin."""
_WORD_BYTES: Final = 4096
_BEGIN_S: Final = 60.0
_ANSWER_BYTES: Final = 64
_READ_BYTES: Final = 1 << 16

Command: TypeAlias = Sequence["str | os.PathLike[str]"]


class Forked(Generic[AnyStr]):
    """A process that the nursery forked. It has the part of Popen's interface that tests use."""

    stdin: IO[AnyStr] | None
    stdout: IO[AnyStr] | None
    stderr: IO[AnyStr] | None

    def __init__(self, nursery: _Nursery, args: Command, options: Mapping[str, Any]) -> None:
        self.args = args
        self.returncode: int | Any = None  # as Popen has it: None while it runs
        self._lock = threading.Lock()
        self._unsent: memoryview | None = None
        self._heard: dict[IO[AnyStr], bytearray] = {}
        with _Pipes(options) as pipes:
            self._answers = nursery.fork(_birth(args, options), pipes.theirs)
            self.pid = self._begun()
            text = bool(options.get("text"))
            self.stdin, self.stdout, self.stderr = (pipes.keep(n, text) for n in range(3))

    def _begun(self) -> int:
        self._answers.settimeout(_BEGIN_S)
        word, _, pid = self._answers.recv(_ANSWER_BYTES).partition(b" ")
        self._answers.setblocking(False)
        if word != BEGUN:
            raise ChildProcessError(f"{self.args}: the fork failed: its stderr says why")
        return int(pid)

    def __enter__(self) -> Forked[AnyStr]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stream in (self.stdout, self.stderr, self.stdin):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        self.wait()

    def __del__(self) -> None:
        if hasattr(self, "_answers"):
            self._answers.close()  # not before: another thread may wait for it

    def poll(self) -> int | None:
        with self._lock, suppress(BlockingIOError):
            if self.returncode is None:
                word, _, code = self._answers.recv(_ANSWER_BYTES).partition(b" ")
                if word != ENDED:
                    raise ChildProcessError(f"{self.args}: the nursery ended before it")
                self.returncode = int(code)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        return self._ended(_Deadline(self.args, timeout))

    def _ended(self, end: _Deadline) -> int:
        with selectors.DefaultSelector() as ready:
            # Readable for all threads that wait, also after the answer: the other end is closed.
            ready.register(self._answers, selectors.EVENT_READ)
            while (code := self.poll()) is None:
                if not ready.select(end.left_s()):
                    end.check()
        return code

    def communicate(
        self, input: AnyStr | None = None, timeout: float | None = None
    ) -> tuple[AnyStr, AnyStr]:
        """As Popen's. What was read before a TimeoutExpired is returned by the next call."""
        end = _Deadline(self.args, timeout)
        with selectors.DefaultSelector() as ready:
            if self.stdin is not None and not self.stdin.closed:
                if self._unsent is None:
                    with suppress(BrokenPipeError):
                        self.stdin.flush()
                    self._unsent = memoryview(_bytes_of(self.stdin, input))
                ready.register(self.stdin, selectors.EVENT_WRITE, partial(self._send, self.stdin))
            for stream in (self.stdout, self.stderr):
                if stream is not None and not stream.closed:
                    self._heard.setdefault(stream, bytearray())
                    ready.register(stream, selectors.EVENT_READ, partial(self._hear, stream))
            while ready.get_map():
                for key, _ in ready.select(end.left_s()):
                    if not key.data():
                        ready.unregister(key.fileobj)
                end.check()
        self._ended(end)
        return self._said(self.stdout), self._said(self.stderr)

    def _send(self, stream: IO[AnyStr]) -> bool:
        """Return whether something is left to be sent; if not, close the pipe."""
        assert self._unsent is not None
        with suppress(BrokenPipeError):
            sent = os.write(stream.fileno(), self._unsent[: select.PIPE_BUF])
            self._unsent = self._unsent[sent:]
            if self._unsent:
                return True
        with suppress(BrokenPipeError):
            stream.close()
        return False

    def _hear(self, stream: IO[AnyStr]) -> bool:
        """Return whether more may come; if not, close the pipe."""
        if data := os.read(stream.fileno(), _READ_BYTES):
            self._heard[stream] += data
            return True
        stream.close()
        return False

    def _said(self, stream: IO[AnyStr] | None) -> Any:
        """Return what came; None without a pipe. subprocess has None there too, and no type for
        it."""
        if stream is None:
            return None
        data = bytes(self._heard.get(stream, b""))
        if not isinstance(stream, io.TextIOWrapper):
            return data
        text = data.decode(stream.encoding, stream.errors or "strict")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Process: TypeAlias = subprocess.Popen[AnyStr] | Forked[AnyStr]


@overload
def start(command: Command, *, text: Literal[True], **options: Any) -> Process[str]: ...
@overload
def start(command: Command, **options: Any) -> Process[bytes]: ...
def start(command: Command, **options: Any) -> Process[Any]:
    """Start a process. options: those of subprocess.Popen."""
    if _can_be_forked(command, options):
        return Forked(_nursery(), command, options)
    return subprocess.Popen(command, **options)


@overload
def run(
    command: Command, *, text: Literal[True], **options: Any
) -> subprocess.CompletedProcess[str]: ...
@overload
def run(command: Command, **options: Any) -> subprocess.CompletedProcess[bytes]: ...
def run(command: Command, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Wait for a process. options: those of subprocess.run."""
    typed, timeout = options.pop("input", None), options.pop("timeout", None)
    must_succeed = options.pop("check", False)
    if options.pop("capture_output", False):
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if typed is not None:
        options["stdin"] = subprocess.PIPE
    with start(command, **options) as process:
        try:
            out, errors = process.communicate(typed, timeout)
        except BaseException:
            process.kill()
            raise
    assert process.returncode is not None
    done = subprocess.CompletedProcess(process.args, process.returncode, out, errors)
    if must_succeed:
        done.check_returncode()
    return done


class _Deadline:
    """When a wait for a process is over."""

    def __init__(self, args: Command, timeout: float | None) -> None:
        self._args, self._timeout, self._began = args, timeout, time.monotonic()

    def left_s(self) -> float | None:
        if self._timeout is None:
            return None
        return max(self._began + self._timeout - time.monotonic(), 0.0)

    def check(self) -> None:
        """Raises subprocess.TimeoutExpired."""
        if self._timeout is not None and self.left_s() == 0:
            raise subprocess.TimeoutExpired(_words(self._args), self._timeout)


class _Pipes:
    """The standard streams of a process to be. theirs: its descriptors. Within the context all are
    open; behind it only those of ours that were kept."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.theirs: list[int] = []
        self._ours: list[int | None] = []
        self._opened: list[int] = []
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            self._add(number, options.get(name))

    def _add(self, number: int, stream: Any) -> None:
        theirs, ours = number, None
        if stream == subprocess.PIPE:
            reads, writes = os.pipe()
            theirs, ours = (reads, writes) if number == 0 else (writes, reads)
            self._opened += (reads, writes)
        elif stream == subprocess.DEVNULL:
            theirs = os.open(os.devnull, os.O_RDWR)
            self._opened.append(theirs)
        elif stream == subprocess.STDOUT:
            theirs = self.theirs[1]
        elif isinstance(stream, int):
            theirs = stream
        elif stream is not None:
            theirs = stream.fileno()
        self.theirs.append(theirs)
        self._ours.append(ours)

    def keep(self, number: int, text: bool) -> IO[Any] | None:
        """Return our end of a pipe as Popen has it; None if there is no pipe."""
        ours = self._ours[number]
        if ours is None:
            return None
        self._opened.remove(ours)
        file = open(ours, "wb" if number == 0 else "rb")  # noqa: SIM115, PTH123
        return io.TextIOWrapper(file, write_through=number == 0) if text else file

    def __enter__(self) -> _Pipes:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._opened:
            os.close(descriptor)


def _bytes_of(stream: IO[AnyStr], typed: AnyStr | None) -> bytes:
    if isinstance(typed, str):
        return typed.encode(getattr(stream, "encoding", "utf-8"))
    return typed or b""


# ---- the nursery of this process -----------------------------------------------------------------


class _Nursery:
    """Our end. env: with what it was started."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket, self._env = ours, _read_at_a_start(os.environ)
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.helpers.nursery", str(number), "." * _WORD_BYTES],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(number,),
            )

    def fits(self, env: Mapping[str, str]) -> bool:
        return _read_at_a_start(env) == self._env

    def fork(self, birth: Birth, streams: Sequence[int]) -> socket.socket:
        """Return where the answers come. streams: what are to be its descriptors 0, 1 and 2."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._socket, [birth.encoded()], [*streams, theirs.fileno()])
        return ours

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


_lock: Final = threading.Lock()
_nurseries: Final[dict[int, _Nursery]] = {}
"""By the process that started it: a fork of pytest has none yet."""


def _nursery() -> _Nursery:
    with _lock:
        if os.getpid() not in _nurseries:
            _nurseries[os.getpid()] = _Nursery()
        return _nurseries[os.getpid()]


def end() -> None:
    """End the nursery, if there is one. What it forked goes on."""
    with _lock:
        if (nursery := _nurseries.pop(os.getpid(), None)) is not None:
            nursery.close()


def _can_be_forked(command: Command, options: Mapping[str, Any]) -> bool:
    words, env = _words(command), options.get("env")
    given = {name for name, value in options.items() if value}
    return (
        _CAN_FORK
        and words[:2] == [sys.executable, "-m"]
        and words[2] in MODULES
        and sum(len(os.fsencode(word)) + 1 for word in words) <= _WORD_BYTES
        and given <= _FORKED_OPTIONS
        and _nursery().fits(os.environ if env is None else env)
    )


def _birth(command: Command, options: Mapping[str, Any]) -> Birth:
    env = options.get(
        "env"
    )  # None: what Python knows of. An exec also hands over what C alone set.
    return Birth(
        words=_words(command),
        env=dict(os.environ if env is None else env),
        cwd=os.fspath(options.get("cwd") or os.getcwd()),
        umask=_umask(),
        start_new_session=bool(options.get("start_new_session")),
    )


def _words(command: Command) -> list[str]:
    return [os.fspath(word) for word in command]


def _read_at_a_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_READ_AT_A_START)}


def _umask() -> int:
    """Return this process's, without setting another one for a moment, as os.umask does."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1], 8) for line in lines if line.startswith("Umask:"))
