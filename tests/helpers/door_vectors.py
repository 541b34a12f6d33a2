"""Golden vectors of the door: each message as a value and as the bytes that it must be for ever.

The hex was written down from msgpack of plain lists, not by the encoder that it tests. A change of
any vector is another DOOR_VERSION.
"""

from __future__ import annotations

from leftzmq.wire.door import Admitted, Knock, NotAdmitted

TOKEN = bytes(range(16))
SECRET = bytes(range(64, 96))
EPOCH_TAG = bytes(range(96, 112))
EPOCH_SECRET = bytes(range(112, 144))
PIN = bytes(range(144, 160))
DEVICE = bytes(range(160, 192))

KNOCK = Knock(2, TOKEN, "peer-b", ["roster"])
ADMITTED = Admitted(
    2,
    "docs-k3v9",
    "full",
    SECRET,
    EPOCH_TAG,
    EPOCH_SECRET,
    [PIN, PIN[::-1]],
    b"signed",
    DEVICE,
    "peer-a",
    ["tcp://192.0.2.7:7700", "tcp://[2001:db8::7]:7700"],
)
NOT_ADMITTED = NotAdmitted(2, "USED_UP", "by peer-c")

GOLDEN: list[tuple[Knock | Admitted | NotAdmitted, str]] = [
    (
        KNOCK,
        "952002c410000102030405060708090a0b0c0d0e0fa6706565722d6291a6726f73746572",
    ),
    (
        ADMITTED,
        "9c2102a9646f63732d6b337639a466756c6cc420404142434445464748494a4b4c4d4e4f50515253"
        "5455565758595a5b5c5d5e5fc410606162636465666768696a6b6c6d6e6fc4207071727374757677"
        "78797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f92c410909192939495969798999a9b9c"
        "9d9e9fc4109f9e9d9c9b9a99989796959493929190c4067369676e6564c420a0a1a2a3a4a5a6a7a8"
        "a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfa6706565722d6192b47463703a2f2f3139"
        "322e302e322e373a37373030b87463703a2f2f5b323030313a6462383a3a375d3a37373030",
    ),
    (
        NOT_ADMITTED,
        "942202a7555345445f5550a9627920706565722d63",
    ),
]
VECTORS = [(message, bytes.fromhex(text)) for message, text in GOLDEN]
NAMES = [type(message).__name__ for message, _ in GOLDEN]
