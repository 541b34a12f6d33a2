"""Our answers to index_since, page by page.

Knows our sequences and which of them are durable. Must not know what others hold: that is in
`hearing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from leftzmq.index.store import Store
from leftzmq.sync.actions import Action, Send, Work
from leftzmq.sync.facts import Fact
from leftzmq.sync.jobs import PageRead, ReadPage
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.version import Life
from leftzmq.wire.messages import IndexPage, IndexSince

PAGES_AN_ASK: Final = 16
"""index_since is answered with so many pages; the asker asks on from the last one."""


@dataclass(slots=True)
class _Answer:
    """An answer that is being read; `at`: the sequence up to which it was sent. whole: of all."""

    life: Life
    at: int
    whole: bool
    pages_left: int = PAGES_AN_ASK


class Answering:
    """The answers of one folder, one a link. flushed: the last durable sequence of ours

    One page of a link is read at a time, however often is asked.
    """

    def __init__(self, folder: str, tag: bytes, store: Store) -> None:
        self._folder, self._tag, self._store = folder, tag, store
        self._answers: dict[Link, _Answer] = {}
        self._reading: set[Link] = set()

    def asked(self, link: Link, ask: IndexSince, flushed: int) -> list[Action | Fact]:
        """From N if that life is in our chain and N possible, else everything."""
        life, after = Life(ask.life), ask.after
        delta = self._store.heads.answers_from(life, after) and after <= flushed
        if not delta:
            after = 0
        answer = self._answers[link] = _Answer(self._store.heads.life, after, not delta)
        return [] if link in self._reading else [self._read_page(link, answer, flushed)]

    def page_read(self, fact: PageRead, flushed: int) -> list[Action | Fact]:
        self._reading.discard(fact.link)
        answer = self._answers.get(fact.link)
        if answer is None:
            return []
        read = (fact.life, fact.after, fact.whole)
        if (answer.life, answer.at, answer.whole) != read:  # it was asked anew meanwhile
            return [self._read_page(fact.link, answer, flushed)]
        out: list[Action | Fact] = [Send(fact.link, IndexPage(self._tag, fact.sealed))]
        answer.pages_left -= 1
        answer.at = fact.last
        if fact.last >= fact.upto or answer.pages_left == 0:
            del self._answers[fact.link]
        else:
            out.append(self._read_page(fact.link, answer, flushed))
        return out

    def lost(self, device: DeviceKey) -> None:
        for link in [link for link in self._answers if link.device == device]:
            del self._answers[link]

    def _read_page(self, link: Link, answer: _Answer, flushed: int) -> Work:
        self._reading.add(link)
        return Work(ReadPage(self._folder, link, answer.life, answer.at, flushed, answer.whole))
