"""Measures how the guard (docs/decisions/0003) reacts to what people do to whole trees, and to
damage that is done to them.

usage: python bench/guard_figures.py [--old PACKAGE==VERSION] [--new PACKAGE==VERSION] [--only WORD]
The trees are Python's standard library and two versions of one package, which pip fetches; git, tar
and ruff are needed for the lines that name them. Each deed is done to a copy in a temporary
directory between two walks of one device: so the guard sees all of it at once, which is the worst
case. The device has the state machines, jobs and disk code of an agent, no peer, and a clock that
does not wait.

Prints one JSON line for each deed: files (regular ones, before), changed, new, gone, emptied (as
the disk has them), noise (files that look encrypted, before and after), held (as the guard says),
and told: how many of the files that were lost or turned to noise reached the index, and so would be
told.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from leftzmq.content.epochs import Epochs
from leftzmq.content.keys import derive_keys, device_mark
from leftzmq.content.noise import is_noise
from leftzmq.content.seal import fresh_nonce
from leftzmq.disk.share import Share
from leftzmq.index.store import Store
from leftzmq.pairing.roster_store import RosterStore
from leftzmq.runtime.opening import begin_life
from leftzmq.sync import actions
from leftzmq.sync.facts import Fact, Started, TimePassed
from leftzmq.sync.folder import Folder
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.node import Node
from leftzmq.sync.peers.greeting import OurSide, Peers
from leftzmq.sync.peers.membership import Membership
from leftzmq.sync.peers.roster.exchange import RosterExchange
from leftzmq.sync.peers.roster.making import Signatory
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.tree.entry import Kind
from leftzmq.tree.loss import loses
from leftzmq.tree.version import Life, make_life
from leftzmq.work.runner import JobRunner

CHANCE = random.Random(3)
NAME = "share"


class Lone:
    """One device without a peer; its jobs are done at once, and its time jumps."""

    def __init__(self, share: Path, state: Path) -> None:
        state.mkdir(parents=True)
        self.path, self.now = share, 1000.0
        keys, key = derive_keys(bytes(32)), DeviceKey(bytes(32))
        self.store = Store(state / "index.db")
        self.runner = JobRunner(lambda: self.wall_ns)
        folders: dict[str, Folder] = {}
        store = RosterStore.open(state / "rosters.db")
        us = Signatory(key, lambda message: b"")
        rosters = Rosters(us, "bench", lambda device: "", store, time.time, os.urandom)
        membership = Membership(key, folders, fresh_nonce, rosters.excludes)
        peers = Peers(OurSide("bench", 1, 2), [], membership)
        self.folder = folders[NAME] = Folder(NAME, keys, Epochs(keys.first), key, self.store, peers)

        def open_share(token: bytes | None) -> Share:
            return Share.open(share, NAME, token, token is None)

        def life() -> Life:
            return make_life(device_mark(key), self.wall_ns // 1_000_000_000, bytes(4))

        _, context = begin_life(self.folder, key, open_share, None, life)
        self.runner.add(context)
        exchange = RosterExchange(rosters, peers, *2 * [lambda device: False])
        about = {"name": "", "key": "", "keyless": []}
        self.node = Node(folders, peers, exchange, about, lambda wall_ns: 0)
        self.queue: deque[Fact] = deque((Started(),))

    @property
    def wall_ns(self) -> int:
        return time.time_ns() + int(self.now * 1e9)

    def settle(self, seconds: float = 70.0) -> None:
        end = self.now + seconds
        while True:
            while self.queue:
                self.do(self.node.handle(self.queue.popleft(), self.now, self.wall_ns))
            due = self.node.deadline(self.now)
            if due > end:
                self.now = end
                return
            self.now = max(due, self.now + 0.001)
            self.queue.append(TimePassed())

    def do(self, wanted: list[actions.Action]) -> None:
        for action in wanted:
            if isinstance(action, actions.Work):
                self.queue.append(self.runner.run(action.job))

    def walk(self) -> None:
        self.do(self.folder.scheduler.walk_all(self.now))  # type: ignore[arg-type]
        self.settle()

    def files(self) -> dict[str, tuple[int, bytes, bool]]:
        """Returns path -> size, content and noise of the files in its index."""
        found, after = {}, b""
        while groups := self.store.paths(after, 4096):
            for row in (row for rows in groups for row in rows):
                entry = row.entry
                if row.is_ours and entry.kind is Kind.FILE and not entry.deleted:
                    found[entry.path] = (entry.size, bytes(entry.content), row.noise)
            after = groups[-1][-1].sort_key
        return found


def measured(name: str, tree: Path, deed: Callable[[Path], None], steps: int = 1) -> dict[str, Any]:
    """Do the deed to a copy. steps: how often, with eleven minutes in between. Returns the
    figures."""
    with tempfile.TemporaryDirectory(prefix="guard-") as base:
        share = Path(base, "share")
        shutil.copytree(tree, share, symlinks=True)
        lone = Lone(share, Path(base, "state"))
        lone.settle()
        before, sizes = lone.files(), on_disk(share)
        for step in range(steps):
            if step:
                lone.settle(660.0)
            deed(share)
            lone.walk()
        now, after = on_disk(share), lone.files()
        kept = {content for _, content, _ in after.values()}
        lost = [
            path
            for path, (size, content, _) in before.items()
            if content not in kept and (path not in after or loses(size, Kind.FILE, after[path][0]))
        ]
        turned = [
            path
            for path, (_, _, noise) in before.items()
            if path in after and after[path][2] and not noise
        ]
        lone.store.close()
        return {
            "deed": name,
            "files": len(before),
            "changed": sum(path in now and now[path] != what for path, what in sizes.items()),
            "new": len(now.keys() - sizes.keys()),
            "gone": len(sizes.keys() - now.keys()),
            "emptied": sum(now.get(p, (1, 0))[0] == 0 < what[0] for p, what in sizes.items()),
            "noise": [sum(noise for _, _, noise in before.values()), noise_in(share)],
            "held": lone.folder.guard.held_back().fields(),
            "told": len(lost) + len(turned),
        }


def regular(tree: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(tree):
        folders[:] = [folder for folder in folders if folder != ".left"]
        yield from (
            path for name in names if (path := Path(root, name)).is_file() and not path.is_symlink()
        )


def on_disk(tree: Path) -> dict[str, tuple[int, int]]:
    stats = ((path, path.stat()) for path in regular(tree))
    return {str(path.relative_to(tree)): (s.st_size, s.st_mtime_ns) for path, s in stats}


def noise_in(tree: Path) -> int:
    return sum(is_noise(path.read_bytes()) for path in regular(tree))


# ---- what people do ---------------------------------------------------------------------------


def run(*command: str, where: Path | None = None) -> None:
    subprocess.run(command, cwd=where, check=True, capture_output=True)


def replace_with(other: Path) -> Callable[[Path], None]:
    """As a package manager does: the old tree is removed, the new one is put there."""

    def deed(share: Path) -> None:
        for path in share.iterdir():
            if path.name != ".left":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(other, share, symlinks=True, dirs_exist_ok=True)

    return deed


def unpack_over(other: Path) -> Callable[[Path], None]:
    def deed(share: Path) -> None:
        with tempfile.TemporaryFile() as packed:
            with tarfile.open(fileobj=packed, mode="w:gz") as archive:
                archive.add(other, ".")
            packed.seek(0)
            with tarfile.open(fileobj=packed) as archive:
                archive.extractall(share, filter="data")

    return deed


def repository(base: Path, old: Path, new: Path) -> Path:
    """Make a repository with two commits far from each other; the first one is checked out."""
    tree = base / "repository"
    who = ("-c", "user.name=x", "-c", "user.email=x@x", "-c", "gc.auto=0")
    git = ("git", "-C", str(tree), *who)
    shutil.copytree(old, tree)
    run("git", "init", "-q", "-b", "old", str(tree))
    run(*git, "add", "-A")
    run(*git, "commit", "-qm", "old")
    run(*git, "checkout", "-qb", "new")
    replace_in_repository(tree, new)
    run(*git, "add", "-A")
    run(*git, "commit", "-qm", "new")
    run(*git, "checkout", "-q", "old")
    return tree


def replace_in_repository(tree: Path, new: Path) -> None:
    for path in tree.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(new, tree, dirs_exist_ok=True)


def check_out(share: Path) -> None:
    run("git", "checkout", "-q", "new", where=share)


def repack(share: Path) -> None:
    """Thousands of objects become one pack."""
    run("git", "repack", "-adq", where=share)


def reformat(share: Path) -> None:
    ruff = shutil.which("ruff") or str(Path(sys.executable).parent / "ruff")
    options = ("--isolated", "--line-length", "60", "--quiet")
    with suppress(subprocess.CalledProcessError):  # some of the tests are meant not to be Python
        run(ruff, "format", *options, str(share))


def build(share: Path) -> None:
    run(sys.executable, "-m", "compileall", "-q", "-f", "-j", "2", str(share / "json"))
    with suppress(subprocess.CalledProcessError):
        run(sys.executable, "-m", "compileall", "-q", "-f", "-j", "2", str(share))


def build_and_clean(share: Path) -> None:
    build(share)
    for folder in list(share.rglob("__pycache__")):
        shutil.rmtree(folder)


def move_all(share: Path) -> None:
    inside = share / "moved"
    inside.mkdir()
    for path in list(share.iterdir()):
        if path.name not in (".left", "moved"):
            path.rename(inside / path.name)


# ---- what is done to them ---------------------------------------------------------------------


def to_part(share: Path, part: float, what: Callable[[Path], None]) -> None:
    paths = sorted(regular(share))
    for path in CHANCE.sample(paths, int(len(paths) * part)):
        what(path)


def spoil(part: float, what: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda share: to_part(share, part, what)


def encrypt(path: Path) -> None:
    path.write_bytes(CHANCE.randbytes(path.stat().st_size + 64))


def encrypt_as_text(path: Path) -> None:
    path.write_text(CHANCE.randbytes(path.stat().st_size + 64).hex())


def lock(path: Path) -> None:
    encrypt(path)
    path.rename(path.with_name(path.name + ".locked"))


def lock_anew(path: Path) -> None:
    path.with_name(path.name + ".locked").write_bytes(CHANCE.randbytes(path.stat().st_size + 64))
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def link(path: Path) -> None:
    path.unlink()
    path.symlink_to(os.devnull)


def fetched(base: Path, wanted: str) -> Path:
    target = base / wanted.replace("=", "")
    options = ("--no-deps", "--no-compile", "--disable-pip-version-check", "--quiet")
    run(sys.executable, "-m", "pip", "install", *options, "--target", str(target), wanted)
    return target


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--old", default="django==3.2.25")
    parser.add_argument("--new", default="django==5.1.4")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="guard-trees-") as scratch:
        base = Path(scratch)
        old, new = fetched(base, options.old), fetched(base, options.new)
        library = base / "library"
        ignored = shutil.ignore_patterns("site-packages", "__pycache__", "dist-packages")
        shutil.copytree(sysconfig.get_paths()["stdlib"], library, symlinks=True, ignore=ignored)
        history = repository(base, old, new)
        deeds: list[tuple[str, Path, Callable[[Path], None], int]] = [
            ("git checkout of a far commit", history, check_out, 1),
            ("git repack of all", history, repack, 1),
            ("formatter over everything", library, reformat, 1),
            ("build", library, build, 1),
            ("build, then clean", library, build_and_clean, 1),
            ("package upgrade", old, replace_with(new), 1),
            ("package downgrade", new, replace_with(old), 1),
            ("unpack over", old, unpack_over(new), 1),
            ("move everything", library, move_all, 1),
            ("delete 40%", library, spoil(0.4, Path.unlink), 1),
            ("delete 60%", library, spoil(0.6, Path.unlink), 1),
            ("empty 60%", library, spoil(0.6, empty), 1),
            ("60% become links", library, spoil(0.6, link), 1),
            ("encrypt 50% in place", library, spoil(0.5, encrypt), 1),
            ("encrypt 6% in place", library, spoil(0.06, encrypt), 1),
            ("encrypt 50%, renamed", library, spoil(0.5, lock), 1),
            ("encrypt 50%, new files", library, spoil(0.5, lock_anew), 1),
            ("encrypt 4% every 11 minutes, five times", library, spoil(0.04, encrypt), 5),
            ("encrypt 50% as text", library, spoil(0.5, encrypt_as_text), 1),
        ]
        for name, tree, deed, steps in deeds:
            if options.only in name:
                print(json.dumps(measured(name, tree, deed, steps)), flush=True)


if __name__ == "__main__":
    main()
