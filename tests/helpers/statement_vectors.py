"""Golden vectors of a roster's statements: each as a value and as the bytes that it is for ever.

The hex of FIELDS was written down from msgpack of plain lists, the ids and signatures with blake3
and nacl alone, not by the code that they test. A change of any is another protocol.
"""

from __future__ import annotations

from leftzmq.wire.statements import (
    Admission,
    EpochStatement,
    Removal,
    SelfStatement,
    Statement,
)

FOLDER = bytes(range(200, 216))
SIGNER_SECRET = bytes(range(32))
DEVICE = bytes(range(32, 64))
SIGN_KEY = bytes(range(64, 96))
ONE = bytes(range(96, 112))
OTHER = bytes(range(112, 128))
NONCE = bytes(range(128, 144))
AT = 1_795_940_000

ROOT = Admission(DEVICE, SIGN_KEY, "peer-a", "full", b"", [], NONCE, AT)
ADMISSION = Admission(DEVICE, SIGN_KEY, "peer-b", "read", ONE, [ONE, OTHER], NONCE, AT)
REMOVAL = Removal(ONE, DEVICE, [OTHER], AT)
SELF = SelfStatement(ONE, 3, "peer-b", ["tcp://192.0.2.7:7700", "tcp://[2001:db8::7]:7700"])
EPOCH = EpochStatement(ONE, OTHER, NONCE, AT)

# value, msgpack of its fields, id, signature
GOLDEN: list[tuple[Statement, str, str, str]] = [
    (
        ROOT,
        "99a141c420202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3fc42040"
        "4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5fa6706565722d61a466"
        "756c6cc40090c410808182838485868788898a8b8c8d8e8fce6b0bdea0",
        "a91495c4f4731f37d7b6dc4782d513ef",
        "30e7a1de794be76822f43f96042624c185eecddd031156918520937e04412f8b285514dbda5502f4"
        "8be12e705fefcbe9efdccaff0a5989433d34de1c24311103",
    ),
    (
        ADMISSION,
        "99a141c420202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3fc42040"
        "4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5fa6706565722d62a472"
        "656164c410606162636465666768696a6b6c6d6e6f92c410606162636465666768696a6b6c6d6e6f"
        "c410707172737475767778797a7b7c7d7e7fc410808182838485868788898a8b8c8d8e8fce6b0bde"
        "a0",
        "1a4d5ec488b07428ceed36247a95aef5",
        "94cfa2df99030571142965b0d94d24d589f070c26987ab524ce4f5055cae42adc42dfa6cf7cc3978"
        "c503b7ff7cc0130528af3c3975d667abfad357e0ac2ab204",
    ),
    (
        REMOVAL,
        "95a152c410606162636465666768696a6b6c6d6e6fc420202122232425262728292a2b2c2d2e2f30"
        "3132333435363738393a3b3c3d3e3f91c410707172737475767778797a7b7c7d7e7fce6b0bdea0",
        "c5f77afcfeaaf5a99d3c548685fe895c",
        "1bc10bd54b22109aa1c76928a6b33ffbd71cbd1dcd7928903e7227b052894554132ba3f13dd55357"
        "3cb7f4b1f47dc496aef58c6b7a9713100351120bce52d305",
    ),
    (
        SELF,
        "95a153c410606162636465666768696a6b6c6d6e6f03a6706565722d6292b47463703a2f2f313932"
        "2e302e322e373a37373030b87463703a2f2f5b323030313a6462383a3a375d3a37373030",
        "d2e387c838a30c15975c689c0d9eab51",
        "ecaa80c3395298f0c97d085b89c8199bdbf7e88f822266f053e0b8e6e8f0171f24e6b42492f18b2a"
        "8db6874d941cfa442d8171b239881e9820036bbabb6eee0f",
    ),
    (
        EPOCH,
        "95a145c410606162636465666768696a6b6c6d6e6fc410707172737475767778797a7b7c7d7e7fc4"
        "10808182838485868788898a8b8c8d8e8fce6b0bdea0",
        "681d3106d4af5fc014b1411f95b8e14e",
        "5c42be5f40a1b65ac7f120846334c99c1b4a9f0ae9b23a67fb786c11c2e150ceebe1475eb7af2c5d"
        "95423ee4d56593e79e8c4828ea38c84cd2be41d6f1b3ce0a",
    ),
]
NAMES = ["root", "admission", "removal", "self", "epoch"]
