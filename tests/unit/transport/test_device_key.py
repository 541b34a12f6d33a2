"""The device key on disk, and what a machine must have."""

from __future__ import annotations

import ctypes
import resource
import stat

import pytest
import zmq

from leftzmq.errors import ConfigError, KeyFileError, PlatformError
from leftzmq.transport import platform
from leftzmq.transport.device_key import load_or_make, parse_public, public_text


def test_made_once_and_then_the_same(tmp_path):
    file = tmp_path / "device.key"
    made = load_or_make(file)
    assert load_or_make(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert zmq.curve_public(zmq.utils.z85.encode(made.secret)) == zmq.utils.z85.encode(made.public)
    assert load_or_make(tmp_path / "other.key") != made
    assert (
        list(tmp_path.iterdir()) == [file, tmp_path / "other.key"]
        or len(list(tmp_path.iterdir())) == 2
    )


def test_the_secret_is_not_shown(tmp_path):
    made = load_or_make(tmp_path / "device.key")
    shown = repr(made) + str(made)
    assert "secret" not in shown and repr(made.secret)[2:-1] not in shown


def test_readable_by_others_is_refused_with_the_cure(tmp_path):
    file = tmp_path / "device.key"
    load_or_make(file)
    file.chmod(0o640)
    with pytest.raises(KeyFileError) as caught:
        load_or_make(file)
    assert f"chmod 600 {file}" in str(caught.value)


def lines_of(file) -> list[str]:
    return file.read_text().splitlines()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda head, public, secret: [],
        lambda head, public, secret: [head, public],
        lambda head, public, secret: [head, secret],
        lambda head, public, secret: [head, public, public],
        lambda head, public, secret: [head, public, secret, "more"],
        lambda head, public, secret: [head, public, secret[:-1]],
        lambda head, public, secret: [head, public, secret[:-1] + '"'],
        lambda head, public, secret: [head, public, secret, "public x y"],
        lambda head, public, secret: ["\xff\0", public[:20]],
    ],
)
def test_malformed_is_refused_and_nothing_of_it_shown(tmp_path, spoil):
    file = tmp_path / "device.key"
    load_or_make(file)
    lines = lines_of(file)
    file.write_text("\n".join(spoil(*lines)) + "\n", encoding="latin-1")
    with pytest.raises(KeyFileError, match="is not a device key file") as caught:
        load_or_make(file)
    assert lines[2].split()[1] not in str(caught.value)


def test_halves_of_two_keys_are_refused(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    load_or_make(one)
    load_or_make(two)
    one.write_text("\n".join([lines_of(one)[1], lines_of(two)[2]]))
    with pytest.raises(KeyFileError, match="the public key is not that of the secret one"):
        load_or_make(one)


def test_public_text_and_back(tmp_path):
    key = load_or_make(tmp_path / "device.key").public
    assert len(key) == 32 and len(public_text(key)) == 62
    assert parse_public(public_text(key)) == key
    assert parse_public(zmq.utils.z85.encode(key).decode()) == key
    for wrong in ("", "x", public_text(key)[:-1], public_text(key)[:-1] + "~", "#" * 40):
        with pytest.raises(ConfigError, match="is not a device's key"):
            parse_public(wrong)


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (("win32", True, (4, 3, 5), "4.3.5"), "run it on Linux or macOS, or in WSL"),
        (("linux", False, (4, 3, 5), "4.3.5"), "is built without CURVE"),
        (("linux", True, (4, 3, 4), "4.3.4"), "libzmq 4.3.4: is too old, at least 4.3.5 is needed"),
    ],
)
def test_a_machine_that_lacks_something_is_told_what_to_do(machine, says):
    with pytest.raises(PlatformError) as caught:
        platform._check(*machine)
    assert says in str(caught.value)


def test_this_machine_is_set_up(monkeypatch):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    libc = ctypes.CDLL(None)
    try:
        platform.require([])
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert (soft, hard) == (min(before[1], platform.MAX_DESCRIPTORS), before[1])
        # The next routing id comes from here, and is another one each time.
        first = libc.rand()
        platform.require([])
        assert libc.rand() != first
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_too_few_descriptors_are_refused_with_the_number_that_is_needed(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
    with pytest.raises(PlatformError) as caught:
        platform.require([0, 1, 1, 1, 1, 1, 1, 1, 3, 9])
    assert str(caught.value) == (
        "RLIMIT_NOFILE: this process may have 64 file descriptors, and needs 3860 "
        "(raise the limit: ulimit -n 3860 as root, or LimitNOFILE=3860 in the service)"
    )


def test_a_seed_is_from_the_os_and_not_always_the_same(monkeypatch):
    libc = ctypes.CDLL(None)
    monkeypatch.setattr(platform.os, "urandom", lambda count: b"\0\0\0\7"[-count:])
    platform._seed_routing_ids()
    drawn = libc.rand()
    libc.srand(7)
    assert libc.rand() == drawn
