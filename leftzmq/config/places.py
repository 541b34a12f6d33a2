"""Where peer.toml lies if nobody says so, and the one that is made there.

Knows the directories that the system gives to a user's programs, and the text of a first
peer.toml. Must not know what else a peer.toml may have, nor who asks for one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from platformdirs import user_config_path, user_state_path

from leftzmq.config.peer_toml import device_of
from leftzmq.errors import ConfigError
from leftzmq.statedir import make_private, replace_private

CONFIG_VARIABLE: Final = "LEFTZMQ_CONFIG"
_APP: Final = "leftzmq"
_PRIVATE_DIR: Final = 0o700

_FIRST: Final = """\
# One device of leftzmq, made by leftzmq itself, which changes nothing that you write here. A key
# that is not known is an error, never ignored. README.md says more.

[device]
# How the others see this device. 1 to 128 printable characters.
name = {name}

# Keys, index and lock, for this user alone. Whoever can read it can be this device.
state = {state}

# Where the others find this device. [::] is every address of this machine, 0.0.0.0 every IPv4
# address, 127.0.0.1 none that others can reach. Two more sockets take free ports: name them here as
# bulk and news where a firewall must know them.
listen = {listen}
"""


def config_file(named: Path | None) -> Path:
    """Return the peer.toml that a command is about, there or not: `named` (-c), else that of
    $LEFTZMQ_CONFIG, else the default. Raises ConfigError if the user has no home."""
    if named is not None:
        return named
    said = os.environ.get(CONFIG_VARIABLE, "")
    return Path(said) if said.strip() else default_file()


def default_file() -> Path:
    """Return the place of peer.toml where neither -c nor the environment names another one."""
    return _absolute(user_config_path(_APP, appauthor=False)) / "peer.toml"


def make_config(file: Path, name: str, listen: str = "tcp://0.0.0.0:7700") -> None:
    """Write a first peer.toml, whole and flushed, with the default state directory; directories
    that are missing are made for this user alone. What is at `file` already stays as it is.

    Raises ConfigError: a value is wrong (then nothing is made), or the file cannot be made.
    """
    file = file.absolute()
    state = _absolute(user_state_path(_APP, appauthor=False))
    text = _first(name, str(state), listen)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        do = "name a device, and have a home, of UTF-8 alone"
        raise ConfigError("cannot be written as UTF-8", str(file), do) from None
    device_of(text, file)
    _make_private_parents(file)
    make_private(file, data)


def rename_made(file: Path, name: str) -> bool:
    """Give the device of a peer.toml another name, if the file is as `make_config` wrote it. Return
    False, with nothing done, if a person changed anything in it.

    Raises ConfigError: the name is wrong, or the file cannot be read or written.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read: {error}", str(file)) from None
    device = device_of(text, file)
    if text != _first(device.name, str(device.state), str(device.listen)):
        return False
    renamed = _first(name, str(device.state), str(device.listen))
    device_of(renamed, file)
    try:
        replace_private(file, renamed.encode())
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", str(file)) from None
    return True


def _first(name: str, state: str, listen: str) -> str:
    values = {"name": name, "state": state, "listen": listen}
    return _FIRST.format(**{key: _quoted(value) for key, value in values.items()})


def _absolute(place: Path) -> Path:
    """Raises ConfigError for a relative path, which would be another one in each directory."""
    if not place.is_absolute():
        what = "this place is relative, and means nothing here"
        do = "write HOME, XDG_CONFIG_HOME and XDG_STATE_HOME, where they are set, from / on"
        raise ConfigError(what, str(place), do)
    return place


def _quoted(value: str) -> str:
    """Return a TOML string. JSON's is one, but for DEL, and for what it writes as a pair."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _make_private_parents(file: Path) -> None:
    missing = [each for each in file.parents if not each.exists()]
    try:
        for directory in reversed(missing):
            directory.mkdir(_PRIVATE_DIR, exist_ok=True)
    except OSError as error:
        what = f"cannot be made: {error.strerror}"
        raise ConfigError(what, str(file), "name a place where this user may write") from None
