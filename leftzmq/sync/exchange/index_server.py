"""Answers index_since requests, page by page.

Knows our sequences and which of them are durable. Must not know what others hold (`index_client`
does).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from leftzmq.content.epochs import Epochs
from leftzmq.index.store import Store
from leftzmq.sync.actions import Outputs, Send, Work
from leftzmq.sync.jobs import PageRead, ReadPage
from leftzmq.sync.link import DeviceKey, Link
from leftzmq.tree.accepted import Accepted
from leftzmq.tree.version import Life
from leftzmq.wire.messages import Capability, IndexPage, IndexSince

PAGES_AN_ASK: Final = 16
"""The number of pages in one answer to index_since; the other device asks on from the last of
them."""


@dataclass(slots=True)
class _Answer:
    """An answer that is being read. at: the sequence up to which it was sent. whole: whether it
    covers the whole index. link, tag: those of the latest request."""

    link: Link
    tag: bytes
    life: Life
    at: int
    whole: bool
    pages_left: int = PAGES_AN_ASK


class IndexServer:
    """The answers of one folder, one per device. accepted: what users let pass the guard; flushed:
    our last durable sequence; understands: whether a device understands something.

    At any time one page is being read for a device, however often and over however many links it
    asks. A page is sealed in the epoch of its question. If that may not be used any more it is
    sealed in the one in use, which the asker was told before; while there is none, answers wait.
    """

    def __init__(
        self,
        folder: str,
        epochs: Epochs,
        store: Store,
        accepted: Callable[[], Accepted],
        understands: Callable[[Capability, DeviceKey], bool],
    ) -> None:
        self._folder, self._epochs, self._store, self._accepted = folder, epochs, store, accepted
        self._understands = understands
        self._answers: dict[DeviceKey, _Answer] = {}
        self._reading: set[DeviceKey] = set()

    def on_index_since(self, link: Link, ask: IndexSince, flushed: int) -> Outputs:
        """Answer from sequence N if the life is in our chain and N is possible, else with
        everything."""
        life, after = Life(ask.life), ask.after
        delta = self._store.heads.answers_from(life, after) and after <= flushed
        if not delta:
            after = 0
        answer = _Answer(link, ask.tag, self._store.heads.life, after, not delta)
        self._answers[link.device] = answer
        return [] if link.device in self._reading else self._read_page(answer, flushed)

    def on_page_read(self, fact: PageRead, now: float, flushed: int) -> Outputs:
        device = fact.link.device
        self._reading.discard(device)
        answer = self._answers.get(device)
        if answer is None:
            return []
        read = (fact.link, fact.life, fact.after, fact.whole)
        is_asked_anew = (answer.link, answer.life, answer.at, answer.whole) != read
        if is_asked_anew or not self._epochs.may_seal(fact.tag):
            return self._read_page(answer, flushed)
        out: Outputs = [Send(fact.link, IndexPage(fact.tag, fact.sealed))]
        answer.pages_left -= 1
        answer.at = fact.last
        if fact.last >= fact.upto or answer.pages_left == 0:
            del self._answers[device]
        else:
            out += self._read_page(answer, flushed)
        return out

    def go_on(self, flushed: int) -> Outputs:
        """Another epoch is in use: answer those that waited for it."""
        out: Outputs = []
        for device, answer in self._answers.items():
            if device not in self._reading:
                out += self._read_page(answer, flushed)
        return out

    def forget_device(self, device: DeviceKey) -> None:
        self._answers.pop(device, None)

    def _read_page(self, answer: _Answer, flushed: int) -> Outputs:
        tag = answer.tag
        if not self._epochs.may_seal(tag):
            if self._epochs.in_use is None:
                return []
            tag = self._epochs.in_use.tag
        self._reading.add(answer.link.device)
        link, life, at, whole = answer.link, answer.life, answer.at, answer.whole
        accepted = self._accepted().upto(life, flushed)
        understood = [
            self._understands(each, link.device)
            for each in (Capability.WITHDRAWN, Capability.MODES)
        ]
        job = ReadPage(self._folder, link, tag, life, at, flushed, whole, accepted, *understood)
        return [Work(job)]
