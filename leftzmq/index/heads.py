"""The state of every index: our own chain of lives, and how far we hold other devices' indexes.

A bit belongs to one generation of a device's index. A whole index is received under a new bit. The
old bit counts for nothing from the first page on. It is swept with the last page, or sooner if no
bit is free. There are as many bits as devices may be listed (config), so that a device whose old
generation was swept gets one; until then the device waits (sync/exchange/index_client).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from leftzmq.index.connection import Connection
from leftzmq.index.schema import MAX_BITS, OUR_BIT
from leftzmq.tree.version import Life

NO_LIFE: Final = Life(bytes(12))
"""The life on the wire that says "I hold nothing of yours"."""

MAX_CHAIN: Final = 1024  # lives remembered; a peer that saw none of them gets the whole index
NO_BIT: Final = -1


class Head(Struct, frozen=True):
    """How far we hold a device's index: everything up to `head` of `life`, under `bit`.

    NO_BIT: we hold nothing of it, and no row can say that it has something.
    """

    key: bytes
    bit: int
    life: Life
    head: int

    @property
    def mask(self) -> int:
        """The bit as a set of bits; 0 without a bit."""
        return 0 if self.bit == NO_BIT else 1 << self.bit


class Heads:
    """The chain of our lives and the heads of the devices. Written with the store's commits."""

    def __init__(self, connection: Connection, begin: Callable[[], None]) -> None:
        self._db, self._begin = connection, begin
        self.chain: list[tuple[Life, int]] = [
            (Life(life), last)
            for life, last in connection.execute("SELECT life, last FROM life ORDER BY ordinal")
        ]
        self._sequence = self.chain[-1][1] if self.chain else 0
        self._saved = self._sequence
        self._devices: dict[bytes, Head] = {}
        self._swept: dict[bytes, list[int]] = {}
        for bit, key, life, head, swept in connection.execute(
            "SELECT bit, key, life, head, swept FROM device"
        ):
            if swept:
                self._swept.setdefault(key, []).append(bit)
            else:
                self._devices[key] = Head(key, bit, Life(life), head)

    # -- our own lives ----------------------------------------------------------------------

    @property
    def sequence(self) -> int:
        """The last sequence given. Sequences continue across lives."""
        return self._sequence

    @property
    def life(self) -> Life:
        """The life of this start."""
        return self.chain[-1][0]

    def begin_life(self, life: Life) -> None:
        """Begins a new life at a start: adds it at the end of the chain."""
        self._begin()
        self._db.execute("INSERT INTO life(life, last) VALUES(?, ?)", (life, self._sequence))
        self.chain.append((life, self._sequence))
        if len(self.chain) > MAX_CHAIN:
            del self.chain[: len(self.chain) - MAX_CHAIN]
            self._db.execute(
                "DELETE FROM life WHERE ordinal NOT IN"
                " (SELECT ordinal FROM life ORDER BY ordinal DESC LIMIT ?)",
                (MAX_CHAIN,),
            )

    def next_sequence(self) -> int:
        """Returns a sequence that was never given before in this life."""
        self._begin()
        self._sequence += 1
        return self._sequence

    def save(self) -> None:
        """Saves the last sequence. Part of every commit."""
        if self._sequence != self._saved:
            self._db.execute(
                "UPDATE life SET last = ? WHERE ordinal = (SELECT max(ordinal) FROM life)",
                (self._sequence,),
            )
            self.chain[-1] = (self.chain[-1][0], self._sequence)
            self._saved = self._sequence

    def answers_from(self, life: Life, after: int) -> bool:
        """Whether index_since (life, after) can be answered from `after`, not from the start."""
        last = dict(self.chain).get(life)
        return last is not None and after <= (self._sequence if life == self.life else last)

    # -- the other devices -----------------------------------------------------------------

    def head_of(self, key: bytes) -> Head:
        """How far we hold a device's index; at first (NO_LIFE, 0) without a bit."""
        return self._devices.get(key) or Head(key, NO_BIT, NO_LIFE, 0)

    def bits_of(self, keys: Iterable[bytes]) -> int:
        """The bits of these devices, those of old generations too."""
        mask = 0
        for key in keys:
            mask |= self.head_of(key).mask
            for bit in self._swept.get(key, ()):
                mask |= 1 << bit
        return mask

    def known(self) -> list[Head]:
        """The heads of the devices that have a bit."""
        return list(self._devices.values())

    def place(self, key: bytes) -> Head | None:
        """The head of the device, under the bit that it has or a free one. None: the device must
        wait for a bit."""
        return self._devices.get(key) or self._allot(key, NO_LIFE)

    def advance(self, key: bytes, life: Life, head: int) -> None:
        """We hold the device's index up to `head` of `life`; part of the commit of the entries. The
        device must have a bit."""
        self._begin()
        moved = replace(self._devices[key], life=life, head=head)
        self._devices[key] = moved
        self._db.execute(
            "UPDATE device SET life = ?, head = ? WHERE bit = ?", (life, head, moved.bit)
        )

    def new_generation(self, key: bytes, life: Life) -> Head | None:
        """The first page of a whole index arrives: gives the device a new bit; the old one no
        longer counts. Returns None, and keeps what was there before, if no bit is free."""
        old = self._devices.get(key)
        if old is not None and old.life == NO_LIFE:
            self.advance(key, life, 0)  # nothing was ever received under this bit
            return self._devices[key]
        if self.bits_left == 0:
            return None
        self.give_up_device(key)
        return self._allot(key, life)

    @property
    def bits_left(self) -> int:
        """How many more devices could be given a bit now."""
        return MAX_BITS - len(self._used())

    @property
    def swept_mask(self) -> int:
        """The bits of all generations that no longer count."""
        return sum(1 << bit for bits in self._swept.values() for bit in bits)

    def to_sweep(self, key: bytes) -> list[int]:
        """The bits of old generations of a device that rows still have."""
        return list(self._swept.get(key, ()))

    def free(self, bit: int) -> None:
        """A bit was swept from all rows."""
        self._begin()
        self._db.execute("DELETE FROM device WHERE bit = ?", (bit,))
        for bits in self._swept.values():
            if bit in bits:
                bits.remove(bit)

    def give_up_device(self, key: bytes) -> None:
        """What we hold of a device no longer counts: its bit is to be swept."""
        head = self._devices.pop(key, None)
        if head is not None:
            self._begin()
            self._db.execute("UPDATE device SET swept = 1 WHERE bit = ?", (head.bit,))
            self._swept.setdefault(key, []).append(head.bit)

    def swept_keys(self) -> list[bytes]:
        return [key for key, bits in self._swept.items() if bits]

    def _used(self) -> set[int]:
        used = {OUR_BIT, *(head.bit for head in self._devices.values())}
        used.update(bit for bits in self._swept.values() for bit in bits)
        return used

    def _allot(self, key: bytes, life: Life) -> Head | None:
        used = self._used()
        bit = next((bit for bit in range(MAX_BITS) if bit not in used), None)
        if bit is None:
            return None
        self._begin()
        self._db.execute(
            "INSERT INTO device(bit, key, life, head, swept) VALUES(?,?,?,0,0)", (bit, key, life)
        )
        self._devices[key] = Head(key, bit, life, 0)
        return self._devices[key]
