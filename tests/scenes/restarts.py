"""One side ends again and again while much is on its way."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

from .cast import Company, Device, Failed, free_ports, peer_toml, until
from .conflicts import TWO
from .grow import SIZE_EXPONENT, generate
from .relay import SlowWire

RATE_BYTES_S = 750 << 10
FAR_HOST = "127.0.0.2"
STEP = 0.1
"""Of all bytes: so much more has arrived each time one side ends."""
SENT_AGAIN_MAX = 0.1
"""Of all bytes, and IN_FLIGHT_BYTES for each restart."""
IN_FLIGHT_BYTES = 2 << 20


def receiver_ends(home: Path, chance: Random, files: int) -> str:
    return _restarts(home, chance, files, lambda sender, receiver: receiver, signal.SIGTERM)


def sender_ends(home: Path, chance: Random, files: int) -> str:
    return _restarts(home, chance, files, lambda sender, receiver: sender, signal.SIGTERM)


def receiver_is_killed(home: Path, chance: Random, files: int) -> str:
    return _restarts(home, chance, files, lambda sender, receiver: receiver, signal.SIGKILL)


def sender_is_killed(home: Path, chance: Random, files: int) -> str:
    return _restarts(home, chance, files, lambda sender, receiver: sender, signal.SIGKILL)


def _restarts(
    home: Path,
    chance: Random,
    files: int,
    who: Callable[[Device, Device], Device],
    number: signal.Signals,
) -> str:
    """Files over a slow wire; at every tenth of the bytes one side ends and starts anew."""
    with Company(home, TWO) as company:
        company.prepare()
        sender, receiver = company.devices.values()
        bulk, news = free_ports(2)
        more = "".join(f'{key} = "tcp://127.0.0.1:{port}"\n' for key, port in
                       (("bulk", bulk), ("news", news)))  # fmt: skip
        sender.peers, receiver.peers = [], []
        sender.write_config(company.secrets, more)
        receiver.write_config(company.secrets)
        _knows(sender, receiver, None)
        _knows(receiver, sender, f"tcp://{FAR_HOST}:{sender.port}")
        generate(sender.share, files, SIZE_EXPONENT, chance)
        total = sum(path.stat().st_size for path in sender.share.rglob("*") if path.is_file())
        with SlowWire(FAR_HOST, (sender.port, bulk, news), RATE_BYTES_S) as wire:
            company.start()
            ends, next_end = 0, STEP * total
            while next_end < total:
                until(lambda at=next_end: _arrived(receiver) >= at, f"{next_end:.0f} bytes arrived")
                ender = who(sender, receiver)
                if number is signal.SIGKILL:
                    ender.kill()
                else:
                    ender.stop()
                ender.start()
                ends += 1
                next_end = max(next_end, _on_disk(receiver)) + STEP * total
            company.together()
            company.checked_stop()
            again = wire.carried / total - 1
        if wire.carried > (1 + SENT_AGAIN_MAX) * total + ends * IN_FLIGHT_BYTES:
            raise Failed(f"{wire.carried} bytes on the wire for {total} in {ends} restarts")
        return f"{ends} restarts, {again:+.1%} bytes on the wire"


def _knows(device: Device, other: Device, address: str | None) -> None:
    config = device.home / "peer.toml"
    config.write_text(config.read_text() + peer_toml(other.name, other.key, address))


def _arrived(device: Device) -> int:
    return _on_disk(device) if device.runs else 0


def _on_disk(device: Device) -> int:
    """Bytes of whole files, as its share shows them."""
    return sum(
        path.stat().st_size
        for path in device.share.rglob("*")
        if path.is_file() and not path.name.endswith(".lefting")
    )
