"""The common parts of all command lines: what they print, how they fail, and how they end.

An error becomes a line on stderr and an exit code, and so does a standard output that is closed or
full. Nothing that is printed can steer a terminal. A stderr that cannot be written is no error.

Exit codes: 0 done, 1 error, 2 usage or config, 3 not in sync in time, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import errno
import io
import json
import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NoReturn, TextIO

from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.format.terminal import say
from leftzmq.cli.importing import INTERRUPTED, keep_descriptors
from leftzmq.errors import LeftError, NotStarted, OutputError

STDOUT, STDERR = 1, 2
LONGEST_LETTERS: Final = 8 << 10
"""Of an error: nobody reads more, and a path or a key of the config may be that long."""


def guarded(
    name: str, main: Callable[[], int], complain: Callable[[str], None] | None = None
) -> int:
    """Run a command and return its exit code; an error is written to stderr, or passed to
    `complain`."""
    keep_descriptors()
    streams = _Streams()
    told = complain or _say
    try:
        code = _code_of(main)
        streams.flush()
        return code
    except LeftError as error:
        streams.settle()
        told(f"{name}: {_sentence(error)}")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 0  # `| head`: nothing is left to say
    except OSError as error:
        streams.settle()
        where = f"{error.filename}: " if error.filename is not None else ""
        told(f"{name}: {printable(f'{where}{error.strerror or error}')}")
        return 1
    finally:
        streams.settle()


def says_yes(question: str) -> bool:
    """Ask the person at the terminal. Enter alone, Ctrl-C and the end of the input are a no. The
    question is on stderr: what a script reads stays whole."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return False


def json_text(value: object, indent: int | None = 2) -> str:
    """Return JSON that contains all of `value` and cannot steer a terminal: unprintable characters
    are escaped. If the output is not UTF-8, all characters beyond ASCII are escaped, too."""
    is_utf = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    text = json.dumps(value, ensure_ascii=not is_utf, indent=indent)
    if all(line.isprintable() for line in text.split("\n")):
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)


class Parser(argparse.ArgumentParser):
    """Like argparse's, but typed text is escaped in error messages: a script may have typed it."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message)[:LONGEST_LETTERS])


def _say(text: str) -> None:
    say(text, sys.stderr)


def _sentence(error: LeftError) -> str:
    text = str(error)
    lines = text.split("\n") if isinstance(error, NotStarted) else [text]
    said = "\n".join(map(printable, lines))
    return said if len(said) <= LONGEST_LETTERS else f"{said[:LONGEST_LETTERS]}..."


def _escaped(letter: str) -> str:
    """Return \\u009b or the like; a character of more than 16 bits becomes two of them."""
    pair = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{pair[at : at + 2].hex()}" for at in range(0, len(pair), 2))


def _code_of(main: Callable[[], int]) -> int:
    try:
        return main()
    except SystemExit as end:  # from argparse, and from rich if a pipe broke
        return end.code if isinstance(end.code, int) else int(end.code is not None)


# ---- the standard streams ---------------------------------------------------------------------


class _Raw(io.RawIOBase):
    """The descriptor of a standard stream.

    closed_before: it was closed when we were started, and its number belongs to another file now.
    """

    def __init__(self, fd: int, *, closed_before: bool) -> None:
        self._fd, self._closed_before = fd, closed_before

    def fileno(self) -> int:
        return self._fd

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return not self._closed_before and os.isatty(self._fd)

    def write(self, data: Any) -> int:
        if self._closed_before:
            raise OSError(errno.EBADF, "it is closed")
        while True:
            try:
                return os.write(self._fd, data)
            except BlockingIOError:  # another process made the terminal non-blocking
                room = select.poll()
                room.register(self._fd, select.POLLOUT)
                room.poll()


class _RawOut(_Raw):
    """stdout. over: drop everything that is written from now on."""

    over = False

    def write(self, data: Any) -> int:
        """Raises OutputError, or BrokenPipeError if the reader is gone."""
        if self.over:
            return len(data)
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise OutputError(what, "standard output") from error


class _RawError(_Raw):
    """stderr: an error in writing to it cannot be reported."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return len(data)


class _Streams:
    """stdout and stderr for one command. Replacements that a test has installed are kept."""

    def __init__(self) -> None:
        self._out = _RawOut(STDOUT, closed_before=sys.stdout is None)
        if sys.stdout is sys.__stdout__:
            sys.stdout = _stream(self._out, sys.stdout, at_once=self._out.isatty())
        if sys.stderr is sys.__stderr__:
            error = _RawError(STDERR, closed_before=sys.stderr is None)
            sys.stderr = _stream(error, sys.stderr, at_once=True)

    def flush(self) -> None:
        """Raises OutputError, BrokenPipeError."""
        sys.stdout.flush()

    def settle(self) -> None:
        """Write what can still be written; the rest is not tried again when Python ends."""
        with suppress(OutputError, OSError):
            sys.stdout.flush()
        self._out.over = True


def _stream(raw: _Raw, before: TextIO | None, *, at_once: bool) -> TextIO:
    encoding = "utf-8" if before is None else before.encoding
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=at_once
    )
