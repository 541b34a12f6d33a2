"""Golden vectors of a roster's statements: each as a value and as the bytes that it is for ever.

The hex of the fields was written down from msgpack of plain lists, the ids with blake3, the
signatures with the package XEdDSA 1.2.0, not by the code that they test. A change of any is another
protocol.
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
SIGNER = bytes.fromhex("8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f")
"""Its public half."""
DEVICE = bytes(range(32, 64))
ONE = bytes(range(96, 112))
OTHER = bytes(range(112, 128))
NONCE = bytes(range(128, 144))
AT = 1_795_940_000

ROOT = Admission(DEVICE, "peer-a", "full", b"", [], NONCE, AT)
ADMISSION = Admission(DEVICE, "peer-b", "read", ONE, [ONE, OTHER], NONCE, AT)
REMOVAL = Removal(ONE, DEVICE, [OTHER], AT)
SELF = SelfStatement(ONE, 3, "peer-b", ["tcp://192.0.2.7:7700", "tcp://[2001:db8::7]:7700"])
EPOCH = EpochStatement(ONE, OTHER, NONCE, AT)

# value, msgpack of its fields, id, signature
GOLDEN: list[tuple[Statement, str, str, str]] = [
    (
        ROOT,
        "98a141c420202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3fa67065"
        "65722d61a466756c6cc40090c410808182838485868788898a8b8c8d8e8fce6b0bdea0",
        "8a4d891b0d5053738deddb65681a7afa",
        "18ccfe077ce41acae7d904869398fecebb043d83b2089b85c2a1df455c86af6f1676506cdfc64d4e"
        "a614361b1acbd53173a4630b11fa5391decb9c360d27140a",
    ),
    (
        ADMISSION,
        "98a141c420202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3fa67065"
        "65722d62a472656164c410606162636465666768696a6b6c6d6e6f92c41060616263646566676869"
        "6a6b6c6d6e6fc410707172737475767778797a7b7c7d7e7fc410808182838485868788898a8b8c8d"
        "8e8fce6b0bdea0",
        "a614b89ce5ff799a43be58baa1894c21",
        "b74b96b24b2bea37fa66979e0ca834ac3455436bae9e7536806f5918965d387c63614beb8c375354"
        "355a8c80fa52a4125da3a7d6824287f0869e191c378cb701",
    ),
    (
        REMOVAL,
        "95a152c410606162636465666768696a6b6c6d6e6fc420202122232425262728292a2b2c2d2e2f30"
        "3132333435363738393a3b3c3d3e3f91c410707172737475767778797a7b7c7d7e7fce6b0bdea0",
        "c5f77afcfeaaf5a99d3c548685fe895c",
        "65f564dfac099b5dd704a5ed16b4f4a8b97c0fa0817f365b00fa486ae742b4bb90ca2fda918835cb"
        "6a92f140012735cfd6c62a65ace258a78e683eff29098d00",
    ),
    (
        SELF,
        "95a153c410606162636465666768696a6b6c6d6e6f03a6706565722d6292b47463703a2f2f313932"
        "2e302e322e373a37373030b87463703a2f2f5b323030313a6462383a3a375d3a37373030",
        "d2e387c838a30c15975c689c0d9eab51",
        "8a12dcc3ca4725e53b73229e4c30c3144216110073c78dd2d8e8f2f512636a83c83c4b7166524a93"
        "0a31f7ab35f2e2679333fd6cbffe9e926f6454321d4b800f",
    ),
    (
        EPOCH,
        "95a145c410606162636465666768696a6b6c6d6e6fc410707172737475767778797a7b7c7d7e7fc4"
        "10808182838485868788898a8b8c8d8e8fce6b0bdea0",
        "681d3106d4af5fc014b1411f95b8e14e",
        "0fd8e18f8c00981fccd5e62716d3984bc97fa4781e11dc12e5bdb6f032cad2e1d5b7480d32bcd0ec"
        "7fb011a431f77e454a8f51d5c032403688f11b9acddf3e00",
    ),
]
NAMES = ["root", "admission", "removal", "self", "epoch"]
