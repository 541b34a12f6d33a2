"""leftzmq check: reads peer.toml and says what is wrong with it, and with what it names.

Knows in which order an agent would use these things, and asks the rooms that own them for their
sentences. Starts nothing, and makes and changes nothing.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.service.process import listens
from leftzmq.cli.shell import json_text
from leftzmq.config import Config, FolderConfig, load_with_mistakes, nobody_has_our_key
from leftzmq.disk.share import cannot_be_used, check_unopened
from leftzmq.endpoint import Endpoint
from leftzmq.errors import ConfigError, LeftError, counted
from leftzmq.runtime.folder_secrets import check_secret
from leftzmq.statedir import (
    check_state_dir,
    device_key_file,
    index_file,
    lock_holder,
    why_not_made,
)
from leftzmq.transport import device_key, platform
from leftzmq.transport.server_sockets import why_not_bound
from leftzmq.tree.ignoring.rule_file import parse_local

WRONG: Final = 2


def check(options: argparse.Namespace) -> int:
    file: Path = options.config
    config, mistakes = load_with_mistakes(file)
    found: list[LeftError] = [*mistakes]
    if config is not None:
        found += _mistakes_around(config)
    if options.json:
        said = [{"what": e.what, "where": e.where, "do": e.do, "text": str(e)} for e in found]
        print(json_text({"file": str(file), "mistakes": said} | _there(config)))
    elif config is not None and not found:
        there = f"device {config.device.name}, {counted(len(config.folders), 'folder')}"
        print(printable(f"{file}: {there}, {counted(len(config.peers), 'peer')}: nothing wrong"))
    for error in found if not options.json else []:
        print(f"leftzmq: {printable(str(error))}", file=sys.stderr)
    return WRONG if found else 0


def _there(config: Config | None) -> dict[str, object]:
    if config is None:
        return {"device": None, "folders": None, "peers": None}
    counts = {"folders": len(config.folders), "peers": len(config.peers)}
    return {"device": config.device.name, **counts}


def _mistakes_around(config: Config) -> list[LeftError]:
    """Return what would keep an agent, or one of its folders, from beginning; and which rules of
    what to ignore have no effect."""
    found: list[LeftError] = []
    state = config.device.state
    with _noted(found):
        platform.require(len(peer.addresses) for peer in config.peers)
    with _noted(found):
        check_state_dir(state)
        _check_key(config, device_key_file(state))
    for folder in config.folders:
        found += _mistakes_in_rules(config.file, folder)
        is_known = index_file(state, folder.id).exists()
        with _noted(found):
            check_secret(state, folder)
        with _noted(found):
            _check_share(folder, is_known)
    found += _mistakes_in_ports(config)
    return found


@contextmanager
def _noted(found: list[LeftError]) -> Iterator[None]:
    try:
        yield
    except LeftError as error:
        found.append(error)
    except OSError as error:  # a directory on the way that this user may not look into
        found.append(ConfigError(f"cannot be looked at: {error.strerror}", str(error.filename)))


def _check_key(config: Config, file: Path) -> None:
    if file.exists():
        pair = device_key.load(file)
        nobody_has_our_key(config, pair.public)


def _mistakes_in_rules(file: Path, folder: FolderConfig) -> Iterator[LeftError]:
    """Return what has no effect of the rules that only this device has."""
    rules = parse_local(folder.ignore)
    for mistake in rules.mistakes if rules.unusable is None else (rules.unusable,):
        yield ConfigError(mistake.said("rule"), f"{file}: [[folder]] {folder.id} ignore")


def _check_share(folder: FolderConfig, is_known: bool) -> None:
    path = folder.path
    if not is_known and not path.exists():
        if error := why_not_made(path):
            raise cannot_be_used(error, str(path))
        return
    check_unopened(path, folder.id, is_new=not is_known)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        read_only = os.statvfs(path).f_flag & os.ST_RDONLY
        number = errno.EROFS if read_only else errno.EACCES
        raise cannot_be_used(OSError(number, os.strerror(number)), str(path))


def _mistakes_in_ports(config: Config) -> Iterator[LeftError]:
    """Return the ports that are taken, but for those that our own agent has."""
    device = config.device
    ours = lock_holder(device.state)
    named: dict[str, Endpoint | None] = {
        "listen": device.listen,
        "bulk": device.bulk,
        "news": device.news,
    }
    for key, endpoint in named.items():
        if endpoint is None or (ours is not None and listens(ours, endpoint.port)):
            continue
        if taken := why_not_bound(key, endpoint):
            yield taken
