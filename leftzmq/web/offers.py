"""What stands beside the code of an invitation that was made by the page: words, and a picture.

Words are answered by this process, for as long as the invitation is open. Knows open invitations.
Must not know how words are made or answered, nor HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import segno
from segno import DataOverflowError

from leftzmq.errors import LeftError
from leftzmq.wire.replies import InvitationOpened, Reply

MOST_OFFERS: Final = 8
"""As many as an agent has invitations open at once."""
MOST_QR_LETTERS: Final = 1_024


class QrShown(Reply, frozen=True, kw_only=True):
    """rows: of squares, each a text of 0 and 1; 1 is dark. The margin is in it."""

    rows: list[str]


class WordsShown(Reply, frozen=True, kw_only=True):
    """words: for a machine of the same network; placed: for any other. until: unix seconds."""

    words: str
    placed: str
    until: float


class WordsOffered(Protocol):
    """Words that are answered until `close`. words, placed: as they are typed; "": there are
    none. why_not: why there are none."""

    words: str
    placed: str
    why_not: str

    def close(self) -> None: ...


OfferWords = Callable[[dict[str, Any], int], WordsOffered]
"""Takes the agent's answer to `invite` and how many may come in."""


def qr(text: str) -> QrShown:
    """Return the QR code of a text. Raises LeftError if it is too long."""
    if not 0 < len(text) <= MOST_QR_LETTERS:
        raise LeftError("is too long, or empty, for a QR code", "text")
    try:
        made = segno.make(text.upper(), micro=False)
    except (DataOverflowError, ValueError):
        raise LeftError("fits no QR code", "text") from None
    rows = ["".join("1" if dark else "0" for dark in row) for row in made.matrix_iter(border=2)]
    return QrShown(rows=rows)


@dataclass
class _Offer:
    opened: InvitationOpened
    uses: int
    words: WordsOffered | None = None


class InvitationOffers:
    """offer: makes words. unix_time: seconds since the epoch."""

    def __init__(self, offer: OfferWords, unix_time: Callable[[], float]) -> None:
        self._offer, self._unix_time = offer, unix_time
        self._open: dict[str, _Offer] = {}

    def on_opened(self, reply: dict[str, Any], uses: int) -> None:
        """The page has made an invitation."""
        self.sweep()
        opened = InvitationOpened.of(reply)
        while len(self._open) >= MOST_OFFERS:
            self._end(next(iter(self._open)))
        self._open[opened.mark] = _Offer(opened, uses)

    def on_cancelled(self, folder: str) -> None:
        """Invitations were taken back. folder: "": all."""
        for mark, offer in list(self._open.items()):
            if folder in ("", offer.opened.folder):
                self._end(mark)

    def words(self, mark: str) -> WordsShown:
        """Return the words of an invitation, which are answered from now on. Raises LeftError."""
        self.sweep()
        offer = self._open.get(mark)
        if offer is None:
            raise LeftError("no invitation of this page that is open has this mark", mark[:64])
        if offer.words is None:
            offer.words = self._offer(offer.opened.fields(), offer.uses)
        words, until = offer.words, offer.opened.until
        if words.why_not:
            raise LeftError(words.why_not)
        return WordsShown(words=words.words, placed=words.placed, until=until)

    def sweep(self) -> None:
        """End the words of invitations whose time is over."""
        for mark, offer in list(self._open.items()):
            if offer.opened.until <= self._unix_time():
                self._end(mark)

    def close(self) -> None:
        self.on_cancelled("")

    def _end(self, mark: str) -> None:
        offer = self._open.pop(mark)
        if offer.words is not None:
            offer.words.close()
