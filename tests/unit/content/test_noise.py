"""What counts as noise: encrypted bytes do, text, code and whatever says what it is do not."""

from __future__ import annotations

import base64
import gzip
import random
import zlib

import pytest

from leftzmq.content.noise import LEAST_BYTES, SAMPLE_BYTES, is_noise, looks_random, places

CHANCE = random.Random(5)


@pytest.mark.parametrize("size", [LEAST_BYTES, 4096, 8191, 8192, 100_000])
def test_random_bytes_are_noise(size: int) -> None:
    for _ in range(200):
        assert is_noise(CHANCE.randbytes(size))


def test_too_few_bytes_say_nothing() -> None:
    assert not is_noise(CHANCE.randbytes(LEAST_BYTES - 1)) and not is_noise(b"")


@pytest.mark.parametrize(
    "data",
    [
        b"import os\n" * 1000,
        "Größe, наука, 科学\n".encode() * 500,
        bytes(100_000),
        bytes(range(256)) * 3 + bytes(100_000),
        base64.b64encode(CHANCE.randbytes(50_000)),
        gzip.compress(CHANCE.randbytes(50_000)),
        zlib.compress(CHANCE.randbytes(50_000)),
        b"PK\x03\x04" + CHANCE.randbytes(50_000),
        b"\x00\x00\x00\x20ftypisom" + CHANCE.randbytes(50_000),
        bytes(257) + b"ustar" + CHANCE.randbytes(50_000),
    ],
)
def test_what_is_no_noise(data: bytes) -> None:
    assert not is_noise(data)


def test_the_middle_alone_is_enough() -> None:
    """What encrypts a part of each file for haste, or leaves the head as it was."""
    data = b"a letter\n" * 20_000
    middle = len(data) // 2
    data = data[:middle] + CHANCE.randbytes(SAMPLE_BYTES) + data[middle + SAMPLE_BYTES :]
    assert is_noise(data) and not looks_random(data[:SAMPLE_BYTES])


def test_samples_lie_within_the_file() -> None:
    for size in (0, 1, 1023, 4096, 8191, 8192, 1 << 40):
        assert all(0 <= at < max(1, size) for at in places(size))
