"""Golden vectors of the wire: each message as a value and as the bytes that it must be for ever.

The hex was written down from msgpack of plain lists, not by the encoder that it tests. A change of
any vector is another version of the protocol.
"""

from __future__ import annotations

from leftzmq.wire.codec import Socket
from leftzmq.wire.messages import (
    Ask,
    Bye,
    Chunks,
    Done,
    EpochKey,
    EpochWanted,
    FolderHello,
    FolderReport,
    Get,
    Giving,
    Have,
    Hello,
    IndexPage,
    IndexSince,
    Message,
    News,
    Open,
    Part,
    Reading,
    Refusing,
    Report,
    RosterPart,
    Want,
    Welcome,
)

TAG = bytes(range(16))
LIFE = bytes(range(100, 112))
ID = bytes(range(32))
OTHER_ID = bytes(range(32, 64))
BOX = bytes(range(100, 180))

GOLDEN: list[tuple[Message, Socket, str]] = [
    (
        Hello(
            3,
            "peer-a",
            [FolderHello(TAG, BOX), FolderHello(TAG[::-1], BOX[::-1])],
            ["have", "later"],
        ),
        Socket.CONTROL,
        "950103a6706565722d619292c410000102030405060708090a0b0c0d0e0fc4506465666768696a6b"
        "6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f90919293"
        "9495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b392c4100f0e0d0c0b"
        "0a09080706050403020100c450b3b2b1b0afaeadacabaaa9a8a7a6a5a4a3a2a1a09f9e9d9c9b9a99"
        "9897969594939291908f8e8d8c8b8a898887868584838281807f7e7d7c7b7a797877767574737271"
        "706f6e6d6c6b6a69686766656492a468617665a56c61746572",
    ),
    (
        Welcome(3, "peer-b", [FolderHello(TAG, BOX)], 7711, 65535, 1 << 24, True, ["have"]),
        Socket.CONTROL,
        "990203a6706565722d629192c410000102030405060708090a0b0c0d0e0fc4506465666768696a6b"
        "6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f90919293"
        "9495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3cd1e1fcdffffce01"
        "000000c391a468617665",
    ),
    (
        Refusing(3, "OTHER_VERSION", "it is"),
        Socket.CONTROL,
        "940303ad4f544845525f56455253494f4ea56974206973",
    ),
    (
        IndexSince(TAG, LIFE, 2**32),
        Socket.CONTROL,
        "9404c410000102030405060708090a0b0c0d0e0fc40c6465666768696a6b6c6d6e6fcf0000000100000000",
    ),
    (
        IndexPage(TAG, bytes(40)),
        Socket.CONTROL,
        "9305c410000102030405060708090a0b0c0d0e0fc428000000000000000000000000000000000000"
        "00000000000000000000000000000000000000000000",
    ),
    (
        News(TAG, bytes(range(40, 84))),
        Socket.NEWS,
        "9306c410000102030405060708090a0b0c0d0e0fc42c28292a2b2c2d2e2f30313233343536373839"
        "3a3b3c3d3e3f404142434445464748494a4b4c4d4e4f50515253",
    ),
    (
        Have(TAG, ID, b"\xf0\x01"),
        Socket.CONTROL,
        "9407c410000102030405060708090a0b0c0d0e0fc420000102030405060708090a0b0c0d0e0f1011"
        "12131415161718191a1b1c1d1e1fc402f001",
    ),
    (
        Bye("stopping"),
        Socket.CONTROL,
        "9208a873746f7070696e67",
    ),
    (
        RosterPart(TAG, bytes(range(150, 190))),
        Socket.CONTROL,
        "9309c410000102030405060708090a0b0c0d0e0fc428969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7"
        "a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbd",
    ),
    (
        EpochKey(TAG, TAG[::-1], bytes(range(72))),
        Socket.CONTROL,
        "940ac410000102030405060708090a0b0c0d0e0fc4100f0e0d0c0b0a09080706050403020100c448"
        + bytes(range(72)).hex(),
    ),
    (
        EpochWanted(TAG, TAG[::-1]),
        Socket.CONTROL,
        "930bc410000102030405060708090a0b0c0d0e0fc4100f0e0d0c0b0a09080706050403020100",
    ),
    (
        Reading(TAG, 2**32),
        Socket.CONTROL,
        "930cc410000102030405060708090a0b0c0d0e0fcf0000000100000000",
    ),
    (
        Giving(True, 500_000),
        Socket.CONTROL,
        "930dc3ce0007a120",
    ),
    (
        Done(TAG, bytes(range(12)), 2**32, bytes(range(12, 24)), 7),
        Socket.CONTROL,
        "960ec410000102030405060708090a0b0c0d0e0fc40c000102030405060708090a0bcf0000000100000000"
        "c40c0c0d0e0f101112131415161707",
    ),
    (
        Report(
            "0.1.0",
            1_800_000_000_123_456_789,
            "nobody answers",
            "nobody answers at tcp://192.0.2.7:7707",
            [FolderReport(TAG, "idle", 2**40), FolderReport(TAG[::-1], "stopped", None)],
        ),
        Socket.CONTROL,
        "960fa5302e312e30cf18fae2769b0fcd15ae6e6f626f647920616e7377657273d9266e6f626f6479"
        "20616e7377657273206174207463703a2f2f3139322e302e322e373a373730379293c41000010203"
        "0405060708090a0b0c0d0e0fa469646c65cf000001000000000093c4100f0e0d0c0b0a0908070605"
        "0403020100a773746f70706564c0",
    ),
    (
        Open(3),
        Socket.BULK,
        "921003",
    ),
    (
        Get(
            2**32 - 1,
            TAG,
            [ID],
            [
                Want(OTHER_ID, [Ask(OTHER_ID, 0, 5)]),
                Want(ID, [Ask(OTHER_ID, 2**60, 2**20), Ask(ID, 65536, 65535)]),
            ],
        ),
        Socket.BULK,
        "9511ceffffffffc410000102030405060708090a0b0c0d0e0f91c420000102030405060708090a0b"
        "0c0d0e0f101112131415161718191a1b1c1d1e1f9292c420202122232425262728292a2b2c2d2e2f"
        "303132333435363738393a3b3c3d3e3f9193c420202122232425262728292a2b2c2d2e2f30313233"
        "3435363738393a3b3c3d3e3f000592c420000102030405060708090a0b0c0d0e0f10111213141516"
        "1718191a1b1c1d1e1f9293c420202122232425262728292a2b2c2d2e2f303132333435363738393a"
        "3b3c3d3e3fcf1000000000000000ce0010000093c420000102030405060708090a0b0c0d0e0f1011"
        "12131415161718191a1b1c1d1e1fce00010000cdffff",
    ),
    (
        Chunks(9, TAG, [Part(ID, 5), Part(OTHER_ID, 2**20)], [OTHER_ID]),
        Socket.BULK,
        "951209c410000102030405060708090a0b0c0d0e0f9292c420000102030405060708090a0b0c0d0e"
        "0f101112131415161718191a1b1c1d1e1f0592c420202122232425262728292a2b2c2d2e2f303132"
        "333435363738393a3b3c3d3e3fce0010000091c420202122232425262728292a2b2c2d2e2f303132"
        "333435363738393a3b3c3d3e3f",
    ),
]

VECTORS = [(message, socket, bytes.fromhex(text)) for message, socket, text in GOLDEN]
NAMES = [type(message).__name__ for message, _, _ in GOLDEN]
