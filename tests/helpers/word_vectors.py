"""The word exchange with randomness that is fixed: the bytes that each message must be for ever.

They were written down once, of spake2 0.9 (the only side of it that is not ours). A change of any
is another WORDS_VERSION.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

SECRET = "tiger-lamp-ocean"
DIGIT = 4
CODE = "lz1-0g1w7e0n00h8p2y-" + 54 * "0" + "-" + 28 * "z"
NONCE = bytes(range(24))


def stream(seed: str) -> Callable[[int], bytes]:
    """Return randomness that is the same each time: SHA-256 of the seed and a counter."""
    count = 0

    def draw(size: int) -> bytes:
        nonlocal count
        found = b""
        while len(found) < size:
            found += hashlib.sha256(f"{seed} {count}".encode()).digest()
            count += 1
        return found[:size]

    return draw


GOLDEN: list[tuple[int | None, str, str, str, str]] = [
    (
        DIGIT,
        "0104536d51de6ad1a33aeb9ea98843aa84ad6421e0affcaa48ed82701935983d134b",
        "42b44f582e821db5910e764e1594270d0cef005c1255b7e09604e31834ab234f31",
        "d6f2d7065d65d69f2c51e1e39f8532008549ff9f5d3b679a7e1b7ad2f706cfd6",
        "000102030405060708090a0b0c0d0e0f1011121314151617fca9509638f39a356365bfe9830328de"
        "6945e9b65d7ae4fd471dcc6bd9d62113916720b5ef2581e9ce05cc78daaf55b79c78c2a29d7eb8c9"
        "d5df7054317658b32c23d82a0ede46e8f3cb6ff1da04c30c2d662661d3ecae935ae9e58f230343e0"
        "38b27a911653b636dc6df2fc5208d7fee4e4b154ad6cae8d89098c16c4c50b84413047a34172dfd4"
        "a0e517036fb9d806465710ce69aa7d47507a4f1da818390f2aa0c0459721a6c2734b8852571a2e3c"
        "3f8c",
    ),
    (
        None,
        "01ff536d51de6ad1a33aeb9ea98843aa84ad6421e0affcaa48ed82701935983d134b",
        "42b44f582e821db5910e764e1594270d0cef005c1255b7e09604e31834ab234f31",
        "709d4ab75c856b5302aa1d5f12d774f8c6dd5a02b2fe21594696e1b41a010426",
        "000102030405060708090a0b0c0d0e0f10111213141516178afcc85c3cf0a406da848f1753223643"
        "16be8220de939307d431e32439435dcdc4d0fc1af61b6ace4fae6727e2f0fffe8621f78a2044667f"
        "7e785542ca5e916b2d959cdc59ca2a6e12c674a01ffd0864f68dca83cb86db8f1bbbcfb5bb17716b"
        "d2ebc078ca84a6487b50c5618dc67c55abec92922dc2113863b2b2b52943db91dcf704757bd06c80"
        "8a762974eeeb5a3f93c6fd10039284a0b1b738aa999bc464c4b47fcb3ba96cbdbcf36d9fcebcf4c0"
        "3aeb",
    ),
]
"""The digit that the joiner says, then the four messages in hex."""
