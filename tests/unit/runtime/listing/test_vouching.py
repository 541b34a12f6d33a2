"""Whom a person at this device trusts."""

from __future__ import annotations

from pathlib import Path

import pytest

from leftzmq.config import Config, DeviceConfig, Endpoint, FolderConfig, PeerConfig
from leftzmq.pairing.learnt import Learnt, LearntDevice, Origin
from leftzmq.runtime.listing.config_in_use import ConfigInUse
from leftzmq.runtime.listing.vouching import Vouching
from leftzmq.sync.link import DeviceKey

US, B, C = b"a" * 32, DeviceKey(b"b" * 32), DeviceKey(b"c" * 32)


def no_check(folder: FolderConfig) -> None: ...


def vouching(*learnt: LearntDevice) -> Vouching:
    device = DeviceConfig("alpha", Path("/state"), Endpoint("0.0.0.0", 7700))
    written = Config(Path("/peer.toml"), device, (), (PeerConfig("gamma", None, C),))
    in_use = ConfigInUse(
        written, US, Path, lambda: pytest.fail("not asked"), lambda key: (), no_check
    )
    return Vouching(in_use, lambda: Learnt(learnt))


@pytest.mark.parametrize(
    ("origin", "is_vouched", "may_found"),
    [
        (Origin.INVITED, True, False),
        (Origin.JOINED, True, True),
        (Origin.MEMBER, False, False),
    ],
)
def test_a_device_that_was_learnt(origin: Origin, is_vouched: bool, may_found: bool) -> None:
    trusts = vouching(LearntDevice("beta", B, (), origin, 0.0))
    assert (trusts.is_vouched(B), trusts.may_found(B)) == (is_vouched, may_found)


def test_who_is_written_is_trusted_and_who_is_unknown_is_not() -> None:
    trusts = vouching()
    assert trusts.is_vouched(C) and trusts.may_found(C)
    assert not trusts.is_vouched(B) and not trusts.may_found(B)
