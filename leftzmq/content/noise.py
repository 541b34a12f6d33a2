"""Whether bytes look like noise: encrypted, or as if they were (docs/decisions/0003).

Compressed files are as random as encrypted ones, but begin with a known magic; a program that
encrypts a folder leaves no magic. Knows bytes; pure. Must not know which file they are from.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

SAMPLE_BYTES: Final = 4096
LEAST_BYTES: Final = 1024
"""Fewer bytes show nothing: their entropy is low however random they are."""
NOISE_BITS: Final = 7.5
"""Bits a byte. No 4 KiB of random bytes were ever seen below 7.9, no 1 KiB below 7.74."""
_LEAST_VALUES: Final = 181  # different bytes: fewer cannot reach NOISE_BITS (2 ** 7.5)

_MAGIC: Final = (
    b"PK\x03\x04",  # zip, docx, jar, odt, apk
    b"PK\x05\x06",
    b"PK\x07\x08",
    b"\x1f\x8b",  # gzip
    b"\x1f\x9d",  # compress
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x5d\x00\x00",  # lzma
    b"\x28\xb5\x2f\xfd",  # zstd
    b"\x37\xa4\x30\xec",  # a zstd dictionary
    b"\x04\x22\x4d\x18",  # lz4
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"MSCF",
    b"MSWIM\x00\x00\x00",
    b"\x78\x01",  # zlib: git objects
    b"\x78\x5e",
    b"\x78\x9c",
    b"\x78\xda",
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",  # jpeg
    b"GIF8",
    b"II*\x00",  # tiff, many raw formats
    b"MM\x00*",
    b"II+\x00",
    b"BM",
    b"8BPS",
    b"\x00\x00\x01\x00",  # ico
    b"\x00\x00\x00\x0cJXL ",
    b"\xff\x0a",
    b"\x00\x00\x00\x0cjP  ",
    b"RIFF",  # webp, wav, avi
    b"OggS",
    b"fLaC",
    b"ID3",
    b"\xff\xfb",  # mp3
    b"\xff\xf3",
    b"\xff\xf2",
    b"\xff\xf1",  # aac
    b"\xff\xf9",
    b"\x1aE\xdf\xa3",  # matroska, webm
    b"FLV\x01",
    b"0&\xb2u\x8ef\xcf\x11",  # wma, wmv
    b"%PDF",
    b"%!PS",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",  # doc, xls, msi
    b"\x7fELF",
    b"MZ",
    b"\xca\xfe\xba\xbe",  # class, universal binaries
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
    b"\x00asm",
    b"!<arch>\n",  # a, deb
    b"\xed\xab\xee\xdb",  # rpm
    b"SQLite format 3\x00",
    b"PACK",  # git
    b"\xfftOc",
    b"DIRC",
    b"MIDX",
    b"wOFF",
    b"wOF2",
    b"\x00\x01\x00\x00",  # ttf
    b"OTTO",
    b"\x93NUMPY",
    b"\x89HDF\r\n\x1a\n",
    b"PAR1",
    b"ORC",
    b"Obj\x01",  # avro
    b"glTF",
    b"hsqs",  # squashfs
    b"QFI\xfb",  # qcow2
    b"KDMV",
    b"conectix",
    b"LUKS\xba\xbe",
    b"\x03\xd9\xa2\x9a",  # KeePass
    b"age-encryption.org/",
    b"-----BEGIN ",
    b"BORG",
)
_FTYP: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
"""mp4, mov, heic, avif: after the length of the first box."""
_TAR: Final = (257, b"ustar")


def places(size: int) -> tuple[int, ...]:
    """Return the offsets of the samples in a file of `size` bytes: the head, and in a longer file
    the middle."""
    if size < 2 * SAMPLE_BYTES:
        return (0,)
    return (0, size // 2)


def is_noise(data: bytes | memoryview) -> bool:
    """Return whether a whole file, given as its bytes, is noise."""
    if len(data) < LEAST_BYTES or is_known(data[:_HEAD_BYTES]):
        return False
    return any(looks_random(data[at : at + SAMPLE_BYTES]) for at in places(len(data)))


def is_known(head: bytes | memoryview) -> bool:
    """Return whether a file with this beginning has a known type. head: its first bytes."""
    head = bytes(head)
    at, tar = _TAR
    return head.startswith(_MAGIC) or head[4:8] in _FTYP or head[at : at + len(tar)] == tar


def looks_random(sample: bytes | memoryview) -> bool:
    """Return whether these bytes have over NOISE_BITS a byte; too few bytes never do."""
    data = bytes(sample)
    # Text first: most files are text, and the check costs next to nothing.
    if len(data) < LEAST_BYTES or data.isascii() or len(set(data)) < _LEAST_VALUES:
        return False
    counts = Counter(data).values()
    bits = math.log2(len(data)) - sum(count * math.log2(count) for count in counts) / len(data)
    return bits > NOISE_BITS


_HEAD_BYTES: Final = _TAR[0] + len(_TAR[1])
