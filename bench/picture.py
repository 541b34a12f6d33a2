"""Draws the picture of the demo in the README: runs the demo in a terminal of 100 columns, and
draws its screen.

usage: python bench/picture.py [--size 512M] [--to docs/demo.svg]
The picture is the screen at the end; nothing is added or left out.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
from contextlib import suppress
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 100, 40
# Everybody who looks at the picture would fetch a font from another server.
FORMAT = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
CONTROL = re.compile(r"\x1b\[(\??\d*)([A-Za-z])|([\r\n])")


def recorded(size: str) -> str:
    """Returns what the demo writes to its terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
        command = [sys.executable, "-m", "leftzmq.cli.admin", "demo", "--size", size]
        os.execv(sys.executable, command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    said = b""
    with suppress(OSError):  # the terminal is closed at the end
        while data := os.read(terminal, 65536):
            said += data
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    text = said.decode(errors="replace")
    if code:
        sys.exit(f"{text}\nthe demo ended with {code}")
    return text


def screen(said: str) -> list[str]:
    """Returns the lines that are left on the screen, in their colours. Knows only what rich's bars
    do: a line is erased, or the cursor moves up, before anything is written over it."""
    lines, row, at = [""], 0, 0
    for control in CONTROL.finditer(said):
        lines[row] += said[at : control.start()]
        at = control.end()
        match control.group(2), control.group(3):
            case "A", _:
                row = max(0, row - int(control.group(1) or 1))
            case "K", _:
                lines[row] = ""
            case "m", _:
                lines[row] += control.group()
            case _, "\n":
                row += 1
                lines += [""] if row == len(lines) else []
    lines[row] += said[at:]
    return lines


def draw(lines: list[str], title: str, columns: int = COLUMNS) -> str:
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    return console.export_svg(title=title, code_format=FORMAT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="512M")
    parser.add_argument("--to", type=Path, default=Path("docs/demo.svg"))
    options = parser.parse_args()
    shown = screen(recorded(options.size))
    lines = [f"$ leftzmq demo --size {options.size}", *shown]
    options.to.write_text(draw(lines, "leftzmq demo"))
    print("\n".join(shown))
