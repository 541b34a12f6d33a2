"""Turns a response into the jobs that write its contents, and requests missing contents elsewhere.

Part of the downloader. Knows what was requested. Must not know whom to ask next
(sync/download/chunk_picker does).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from leftzmq.content.seal import MAC_BYTES
from leftzmq.sync.actions import Outputs, Work
from leftzmq.sync.download.chunk_picker import ChunkPicker
from leftzmq.sync.download.folder_view import FolderView
from leftzmq.sync.download.large_files import LargeFiles
from leftzmq.sync.download.requests import RETRY_S, Request, Requests
from leftzmq.sync.download.small_files import SmallFiles
from leftzmq.sync.facts import ChunksArrived
from leftzmq.sync.jobs import OpenLists, Piece, SmallFile, StageSmall, WriteChunks


class Responses:
    """One per agent."""

    def __init__(
        self,
        folders: Mapping[str, FolderView],
        requests: Requests,
        chunk_picker: ChunkPicker,
        small: SmallFiles,
        large: LargeFiles,
    ) -> None:
        self._folders, self._requests, self._chunk_picker = folders, requests, chunk_picker
        self._small, self._large = small, large

    def hand_over(self, fact: ChunksArrived, pending: Request) -> Outputs:
        """Return the jobs that write the contents. Their bytes count as held until the jobs end."""
        pieces: list[Piece] = []
        boxes: list[SmallFile] = []
        lists: list[Piece] = []
        start = 0
        transfer = pending.transfer
        for part in fact.header.parts:
            size = part.length + MAC_BYTES
            if part.id in pending.files:
                boxes += [SmallFile(entry, start, size) for entry in pending.files[part.id]]
            elif part.id in pending.rows:
                assert transfer is not None
                if not transfer.marks[pending.rows[part.id]]:  # else another device sent it first
                    ask = transfer.ask_of(pending.rows[part.id])
                    pieces.append(Piece(ask.id, ask.offset, ask.length, start, size))
            else:
                lists.append(Piece(part.id, 0, part.length, start, size))
            start += size
        out: Outputs = []
        if boxes:
            out += self._small.arrived(
                pending.folder, pending.device, boxes, pending.tag, fact.body
            )
        if lists:
            opens = OpenLists(pending.folder, pending.device, tuple(lists), pending.tag, fact.body)
            out.append(Work(opens))
        if pieces and transfer is not None and self._large.is_current(transfer):
            assert transfer.staged is not None
            entry, staged = transfer.entry, transfer.staged
            device, tag, body = pending.device, pending.tag, fact.body
            job = WriteChunks(pending.folder, device, entry, staged, tuple(pieces), tag, body)
            out += self._large.write_arrived(job)
        jobs = [action.job for action in out if isinstance(action, Work)]
        held = [len(job.body) for job in jobs if isinstance(job, WriteChunks | StageSmall)]
        if pending.device in self._requests.credits:
            self._requests.credits[pending.device].held += sum(held)
        return out

    def missing(self, pending: Request, ids: list[bytes], now: float) -> None:
        if ids:
            self.not_sent(pending, ids, now + RETRY_S, now)
            self.request_again(pending, ids)

    def not_sent(self, pending: Request, ids: Iterable[bytes], until: float, since: float) -> None:
        """Since `since` the device was asked for these and did not send them. It is not asked for
        them before `until`."""
        device, rows = pending.device, pending.rows
        if pending.transfer is not None:
            self._large.in_vain(pending.transfer, device, since)
            lacking = [rows[id] for id in ids if id in rows]
            self._chunk_picker.not_sent(device, pending.transfer, lacking, until)
        for id in ids:
            if id in pending.files:
                self._small.not_sent(device, pending.folder, pending.files[id], until, since)

    def request_again(self, pending: Request, ids: Iterable[bytes]) -> None:
        """These will not arrive: they are missing again and are requested from other holders."""
        transfer = pending.transfer
        for id in ids:
            if id in pending.files:
                self._small.request_again(pending.folder, pending.files[id])
            elif transfer is not None:
                transfer.lists_asked.discard(id)
        if transfer is not None and transfer.rows is not None:
            transfer.asked_in_vain(pending.rows[id] for id in ids if id in pending.rows)

    def others(self, pending: Request) -> bool:
        """Return whether another device can be asked for (some of) this request."""
        view, device, transfer = self._folders[pending.folder], pending.device, pending.transfer
        entries = [e for es in pending.files.values() for e in es[:1]]
        if transfer is not None:
            entries = [transfer.entry]
            rows = list(pending.rows.values())
            others = [other for other in self._requests.credits if other != device]
            if any(transfer.rarest_first.is_at(other, row) for other in others for row in rows):
                return True
        return any(h != device for entry in entries[:8] for h in view.holders(entry))
