"""The device key: a CURVE key pair in a private file. Its public half IS the device.

Knows the file's format, which has z85. Must not know who may connect (zap_gate does), nor where the
state lies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import zmq
from zmq.utils import z85

from leftzmq.content.key_text import key_text, read_key, z85_key
from leftzmq.errors import ConfigError, KeyFileError
from leftzmq.statedir import make_private, read_private
from leftzmq.sync.link import DeviceKey

_HEAD: Final = "# leftzmq device key. Keep it private: whoever has it is this device."
_DO: Final = "restore it from a backup; or move it away, and give peers the key that is made then"


@dataclass(frozen=True, slots=True)
class DeviceKeyPair:
    """public, secret: 32 bytes each; the secret is never shown."""

    public: DeviceKey
    secret: bytes = field(repr=False)


def fresh_pair() -> DeviceKeyPair:
    """Return a new key pair, which is in no file."""
    public, secret = zmq.curve_keypair()
    return DeviceKeyPair(DeviceKey(z85.decode(public)), z85.decode(secret))


def load_or_make(path: Path) -> DeviceKeyPair:
    """Return the key pair in `path`; make it there on first use.

    KeyFileError: the file is readable by others, or malformed, or its halves do not belong
    together.
    """
    if not path.exists():
        public, secret = zmq.curve_keypair()
        text = f"{_HEAD}\npublic {public.decode()}\nsecret {secret.decode()}\n"
        # Of several processes that run this at once one wins, and all of them read what it wrote.
        make_private(path, text.encode())
    return load(path)


def load(path: Path) -> DeviceKeyPair:
    """Return the key pair in `path`. KeyFileError as `load_or_make`, also if there is none."""
    return _parse(read_private(path), path)


def make_anew(path: Path) -> DeviceKeyPair:
    """Return a new key pair, written to `path`. An older pair is kept beside it as `.old`. No agent
    may use the file meanwhile. KeyFileError; OSError: the old file could not be moved."""
    if path.exists():
        path.replace(path.with_name(f"{path.name}.old"))
    return load_or_make(path)


def public_text(key: bytes) -> str:
    """Return the text of a public key (32 bytes), as `leftzmq id` prints it."""
    return key_text(key)


def parse_public(text: str) -> DeviceKey:
    """The inverse of `public_text`; z85 is read, too. Raises ConfigError."""
    try:
        return DeviceKey(read_key(text))
    except ValueError as error:
        do = "copy what `leftzmq id` prints on that device"
        raise ConfigError(str(error), repr(text[:70]), do) from None


def _parse(data: bytes, path: Path) -> DeviceKeyPair:
    lines = [line for line in data.decode("latin-1").splitlines() if not line.startswith("#")]
    pairs = [tuple(line.split()) for line in lines if line.strip()]
    found = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    well_formed = len(pairs) == len(found) == 2 and found.keys() == {"public", "secret"}
    if not well_formed or None in map(z85_key, found.values()):
        raise KeyFileError("is not a device key file", str(path), _DO)
    if zmq.curve_public(found["secret"].encode()).decode() != found["public"]:
        raise KeyFileError("the public key is not that of the secret one", str(path), _DO)
    return DeviceKeyPair(DeviceKey(z85.decode(found["public"])), z85.decode(found["secret"]))
