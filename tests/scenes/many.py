"""Many files, many peers, much that is asked at once, and an index that is made anew."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from leftzmq.config import MAX_PEERS
from leftzmq.transport import device_key
from leftzmq.transport.ipc.client import ask

from .cast import SYNC_S, Company, Failed, empty, free_ports, peer_toml, until
from .conflicts import FOLDER, TWO
from .grow import SIZE_EXPONENT, append, generate

ASKED_AT_ONCE = 20
EIGHT = ("1", "2", "3", "4", "11", "12", "13", "14")
LONG_S = 600.0


def many_peers(home: Path, chance: Random, files: int) -> str:
    """The receiver knows as many devices as it can; all but one of them are away, and half of
    those have an address where nobody answers."""
    with Company(home, TWO) as company:
        company.prepare()
        sender, receiver = company.devices.values()
        generate(sender.share, files, SIZE_EXPONENT, chance)
        config = receiver.home / "peer.toml"
        for at, port in enumerate(free_ports(MAX_PEERS - 1)):
            key = device_key.public_text(os.urandom(32))
            address = f"tcp://127.0.0.1:{port}" if at % 2 else None
            config.write_text(config.read_text() + peer_toml(f"away-{at}", key, address))
        company.start()
        company.together()
        company.checked_stop()
    return f"{MAX_PEERS - 1} peers away"


def scan_subdir(home: Path, chance: Random, files: int) -> None:
    """Single files and folders come and go in folders that nobody knew."""
    with Company(home, TWO) as company:
        company.start()
        share = company.devices["A"].share
        deep = "1/2/3/4/5/6/7"
        company.together()
        for path in ("file1.txt", "filetest/file1.txt", f"filetest/{deep}/file1.txt"):
            (share / path).parent.mkdir(parents=True, exist_ok=True)
            (share / path).touch()
            company.together()
        (share / "dirtest" / deep).mkdir(parents=True)
        company.together()
        (share / "filetest/file1.txt").unlink()
        company.together()
        (share / "rmdirtest" / deep).mkdir(parents=True)
        company.together()
        shutil.rmtree(share / "rmdirtest")
        tree = company.together()[FOLDER]
        if set(tree) & {"filetest/file1.txt", "rmdirtest"} or f"dirtest/{deep}" not in tree:
            raise Failed(f"not what was made: {sorted(tree)}")
        company.checked_stop()


def reset(home: Path, chance: Random, files: int) -> None:
    """A device whose index is thrown away finds just what is there, however often."""
    with Company(home, {"A": [FOLDER]}) as company:
        company.prepare()
        (a,) = company.devices.values()

        def counted(count: int, when: str) -> None:
            def holds() -> bool:
                report = a.reports()[FOLDER]
                return report["state"] == "alone" and report["files"] == count

            until(holds, f"{count} files {when}")

        def make() -> None:
            for name in EIGHT:
                (a.share / f"f{name}").touch()
                (a.share / f"d{name}").mkdir()

        make()
        a.start()
        counted(8, "after the first walk")
        a.stop()
        empty(a.share)
        a.forget_index()
        a.start()
        counted(0, "in an empty share with a new index")
        make()
        counted(8, "made anew")
        a.stop()
        a.forget_index()
        a.start()
        counted(8, "with another new index")
        company.checked_stop()


def asked_in_parallel(home: Path, chance: Random, files: int) -> None:
    """So many `wait` at once while the first walk goes on: each is answered, and truly."""
    with Company(home, TWO) as company:
        company.prepare()
        a, b = company.devices.values()
        generate(a.share, files, 18, chance)
        company.start()
        with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            asked = [
                pool.submit(ask, a.state, "wait", {"timeout": SYNC_S}, SYNC_S + 10)
                for _ in range(ASKED_AT_ONCE)
            ]
            if not all(answer.result()["in_sync"] for answer in asked):
                raise Failed("one of them was not in sync")
        company.together()
        report = b.reports()[FOLDER]
        if report["files"] != files:
            raise Failed(f"{report['files']} files counted, {files} made")
        company.checked_stop()


def many_files(home: Path, chance: Random, files: int) -> str:
    """So many files from one to the other."""
    with Company(home, TWO) as company:
        company.prepare()
        a, b = company.devices.values()
        generate(a.share, files, 15, chance)
        company.start()
        began = time.monotonic()
        company.in_sync(LONG_S)
        took = time.monotonic() - began
        company.together(LONG_S)
        mib = b.reports()[FOLDER]["bytes"] / (1 << 20)
        company.checked_stop()
    return f"{mib:.0f} MiB in {took:.1f} s after the start"


def same_files(home: Path, chance: Random, files: int) -> str:
    """The same files are on both already: nothing is to be sent."""
    with Company(home, TWO) as company:
        company.prepare()
        a, b = company.devices.values()
        generate(a.share, files, 15, chance)
        shutil.rmtree(b.share)
        shutil.copytree(a.share, b.share)
        company.start()
        began = time.monotonic()
        company.in_sync(LONG_S)
        took = time.monotonic() - began
        company.together(LONG_S)
        sent = sum(device.reports()[FOLDER]["sent_bytes"] for device in (a, b))
        if sent:
            raise Failed(f"{sent} bytes of chunks were sent")
        company.checked_stop()
    return f"nothing sent, {took:.1f} s after the start"


def large_file(home: Path, chance: Random, files: int) -> str:
    """One file of so many GiB; then some bytes more at its end."""
    with Company(home, TWO) as company:
        company.prepare()
        a, _b = company.devices.values()
        large = a.share / "large"
        with large.open("wb") as file:
            for _ in range(files << 7):
                file.write(chance.randbytes(8 << 20))
        company.start()
        began = time.monotonic()
        company.in_sync(LONG_S)
        took = time.monotonic() - began
        sent = a.reports()[FOLDER]["sent_bytes"]
        append(large, "a few bytes more")
        company.together(LONG_S)
        more = a.reports()[FOLDER]["sent_bytes"] - sent
        company.checked_stop()
    return f"{files << 10} MiB in {took:.1f} s after the start; {more >> 10} KiB for an append"
