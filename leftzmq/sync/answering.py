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
    """An answer that is being read; `at`: the sequence up to which it was sent."""

    life: Life
    at: int
    pages_left: int


class Answering:
    """The answers of one folder, one a link. flushed: the last durable sequence of ours"""

    def __init__(self, folder: str, tag: bytes, store: Store) -> None:
        self._folder, self._tag, self._store = folder, tag, store
        self._answers: dict[Link, _Answer] = {}

    def asked(self, link: Link, ask: IndexSince, flushed: int) -> list[Action | Fact]:
        """From N if that life is in our chain and N possible, else everything."""
        life, after = Life(ask.life), ask.after
        delta = self._store.heads.answers_from(life, after) and after <= flushed
        if not delta:
            after = 0
        self._answers[link] = _Answer(self._store.heads.life, after, PAGES_AN_ASK)
        return [self._read_page(link, after, flushed, not delta)]

    def page_read(self, fact: PageRead, flushed: int) -> list[Action | Fact]:
        answer = self._answers.get(fact.link)
        if answer is None or (answer.life, answer.at) != (fact.life, fact.after):
            return []  # it was asked anew meanwhile
        out: list[Action | Fact] = [Send(fact.link, IndexPage(self._tag, fact.sealed))]
        answer.pages_left -= 1
        answer.at = fact.last
        if fact.last >= fact.upto or answer.pages_left == 0:
            del self._answers[fact.link]
        else:
            out.append(self._read_page(fact.link, fact.last, flushed, fact.whole))
        return out

    def lost(self, device: DeviceKey) -> None:
        for link in [link for link in self._answers if link.device == device]:
            del self._answers[link]

    def _read_page(self, link: Link, after: int, flushed: int, whole: bool) -> Work:
        life = self._store.heads.life
        return Work(ReadPage(self._folder, link, life, after, flushed, whole))
