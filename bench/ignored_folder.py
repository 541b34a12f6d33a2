"""Measures what ignore rules save and cost a real agent, on a folder with many files.

usage: python bench/ignored_folder.py [--files N] [--under DIRECTORY]
A share of N files (100,000), 100 in each folder, is scanned by an agent that no other device knows,
three times: without rules, with 1,000 rules that match none of them, and with one rule that ignores
all of them. Then 1,000 of the files are written to.

Prints one JSON line for each: CPU seconds of the agent until all is in its index (`scan_cpu_s`),
the number of its inotify watches (`watches`), and its CPU seconds in the 3 s after the writes
(`writes_cpu_s`). What else runs on the machine changes CPU seconds little.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from processes import cpu_s

from leftzmq.errors import LeftError
from leftzmq.transport.ipc.client import ask

FILES_A_FOLDER = 100
WRITTEN = 1_000
SETTLE_S = 3.0
CONFIG = """\
[device]
name = "bench"
state = "state"
listen = "tcp://127.0.0.1:0"

[[folder]]
id = "share"
path = "share"
secret = "share.secret"
"""


def rules(count: int) -> str:
    kinds = ("name{}", "*.ext{}", "/folder{}/part", "begin{}*end")
    return "\n".join(kinds[n % len(kinds)].format(n) for n in range(count)) + "\n"


def make(share: Path, files: int) -> list[Path]:
    made = []
    for folder in range(files // FILES_A_FOLDER):
        (share / f"many/{folder}").mkdir(parents=True)
        for name in range(FILES_A_FOLDER):
            made.append(share / f"many/{folder}/{name}.js")
            made[-1].write_text("x")
    return made


def watches(pid: int) -> int:
    found = 0
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            found += file.read_text().count("inotify wd:")
    return found


def scanned(state: Path, process: subprocess.Popen[bytes]) -> None:
    while True:
        assert process.poll() is None, "the agent ended"
        try:
            (folder,) = ask(state, "status")["folders"]
        except LeftError:  # it does not answer yet
            folder = {"state": ""}
        if folder["state"] == "alone":
            return
        time.sleep(0.2)


def measure(base: Path, files: int, text: str) -> dict[str, float]:
    share = base / "share"
    made = make(share, files)
    if text:
        (share / ".leftignore").write_text(text)
    (base / "peer.toml").write_text(CONFIG)
    time.sleep(1.5)  # what is younger than a second may still be written
    process = subprocess.Popen(
        [sys.executable, "-m", "leftzmq.cli.agent", "-c", str(base / "peer.toml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        scanned(base / "state", process)
        scan_cpu_s, count = cpu_s(process.pid), watches(process.pid)
        for file in made[:: max(1, files // WRITTEN)]:
            file.write_text("y")
        time.sleep(SETTLE_S)
        writes_cpu_s = cpu_s(process.pid) - scan_cpu_s
    finally:
        process.terminate()
        process.wait(30)
    return {"scan_cpu_s": scan_cpu_s, "watches": count, "writes_cpu_s": round(writes_cpu_s, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--under", type=Path, default=None, help="where the shares are made")
    options = parser.parse_args()
    for name, text in (("none", ""), ("1,000 rules", rules(1_000)), ("ignored", "many/\n")):
        base = Path(tempfile.mkdtemp(dir=options.under))
        try:
            print(json.dumps({"row": name, **measure(base, options.files, text)}), flush=True)
        finally:
            shutil.rmtree(base)


if __name__ == "__main__":
    main()
