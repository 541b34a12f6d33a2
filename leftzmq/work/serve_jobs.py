"""Runs the jobs about chunks: the chunks of a file, its chunks in local files, and the chunks that
other devices asked for.

Knows the index, the keys and our files. Must not know sockets, or why a job was asked for.
"""

from __future__ import annotations

import errno
from array import array
from collections.abc import Sequence

from leftzmq.content.ids import chunk_id
from leftzmq.content.keys import EpochKeys, FolderKeys
from leftzmq.content.lists import MAX_DISTINCT, Expansion, Rows, expand
from leftzmq.content.seal import MAC_BYTES, seal_chunk, seal_list
from leftzmq.disk.chunk_reader import Asked, read_chunks
from leftzmq.disk.fs.errno_meaning import raise_if_short
from leftzmq.disk.fs.interface import LastFolder, Root
from leftzmq.errors import Refused
from leftzmq.index.reader import Reader
from leftzmq.index.rows import ours_of
from leftzmq.sync import jobs
from leftzmq.sync.download.row_sets import set_of_runs
from leftzmq.tree.entry import Entry, Kind
from leftzmq.tree.path import name_of, parent_of
from leftzmq.wire.messages import Want

Found = tuple[list[tuple[bytes, bytes]], list[bytes], list[tuple[str, Asked]]]
"""(id, bytes) of the chunks found; ids of the chunks not found; paths that are not what the index
says, each with its first missing chunk."""


def expand_lists(reader: Reader, job: jobs.ExpandLists) -> jobs.ListsExpanded:
    """Do one step of expanding the chunk lists of a file. The answer has `begun` set until the last
    step."""
    entry, expansion = job.entry, job.begun
    if expansion is None:
        try:
            rows = expand(entry.content, entry.depth, entry.size, reader.list_rows)
        except Refused as refused:
            return jobs.ListsExpanded(job.folder, entry, lie=refused)
        if not isinstance(rows, Rows):
            missing = tuple(bytes(id) for id in rows)
            return jobs.ListsExpanded(job.folder, entry, missing=missing)
        expansion = Expansion(rows)
    if expansion.step():
        return jobs.ListsExpanded(job.folder, entry, begun=expansion)
    repeats = expansion.repeats
    again = set_of_runs(run for runs in repeats.values() for run in runs)
    once = (1 << len(expansion.rows)) - 1 & ~again
    return jobs.ListsExpanded(job.folder, entry, expansion.rows, repeats, once)


def search_home(reader: Reader, job: jobs.SearchHome) -> jobs.HomeSearched:
    candidates = [row.entry for row in reader.twins(job.entry.content, 1)]
    if job.previous is not None:
        candidates.append(job.previous)
    homes: list[jobs.Home] = []
    for entry in candidates:
        rows = _rows_of(reader, entry)
        if rows is None:
            continue
        home = jobs.Home(entry.path, array("I"), array("Q"))
        for first in range(0, len(rows), MAX_DISTINCT):
            ids = rows.ids(first, MAX_DISTINCT)
            where = {id: row for row, id in enumerate(ids, first)}
            for row in job.rows.find(where):
                home.rows.append(row)
                home.offsets.append(rows.offset(where[job.rows.id(row)]))
        if home.rows:
            homes.append(home)
    return jobs.HomeSearched(job.folder, job.entry, tuple(homes))


def read_asked(
    reader: Reader, root: Root, keys: FolderKeys, epoch: EpochKeys, job: jobs.ReadChunks
) -> jobs.ChunksRead:
    parts: list[tuple[bytes, int]] = []
    boxes: list[bytes] = []
    missing: list[bytes] = []
    stale: list[jobs.Doubt] = []
    for id in job.lists:
        rows = reader.list_rows(id)
        if rows is None:
            missing.append(id)
        else:
            parts.append((id, len(rows)))
            boxes.append(seal_list(epoch, id, rows))
    homes = reader.homes(want.content for want in job.wants)
    with LastFolder(root) as near:
        for want in job.wants:
            found, lacking, moved = _read(reader, near, homes.get(want.content), want, keys)
            for id, data in found:
                boxes.append(seal_chunk(epoch, id, data))
                parts.append((id, len(boxes[-1]) - MAC_BYTES))
            missing += lacking
            stale += (jobs.Doubt(path, *ask) for path, ask in moved)
    body = boxes[0] if len(boxes) == 1 else b"".join(boxes)
    return jobs.ChunksRead(
        job.folder,
        job.link,
        job.number,
        job.tag,
        tuple(parts),
        tuple(missing),
        body,
        tuple(stale),
        job.asked_bytes,
        job.content_bytes,
        job.asks,
        job.is_small,
    )


def check_bytes(
    reader: Reader, root: Root, keys: FolderKeys, job: jobs.CheckBytes
) -> jobs.BytesChecked:
    """Check whether a file has lost bytes on the disk. Only our own lists decide which chunk
    belongs there, because the device that asked may have asked for anything. Raises OSError if the
    error says nothing about the path."""
    doubt = job.doubt
    fine = jobs.BytesChecked(job.folder, doubt.path, None)
    ours = ours_of(reader.rows_of((doubt.path,))[doubt.path])
    if ours is None or ours.scan is None or not _is_part(reader, ours.entry, doubt):
        return fine
    where, name, why = parent_of(doubt.path), name_of(doubt.path), ""
    try:
        with root.folder(where) as folder:
            found = folder.stat(name)
            if found is None or found.kind is not Kind.FILE or found.key() != ours.scan:
                return fine
            try:
                with folder.open_read(name) as file:
                    data = file.read(doubt.offset, doubt.length)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                data, why = b"", error.strerror or str(error)
            if not why and chunk_id(keys, data) == doubt.id:
                return fine
            again = folder.stat(name)  # after the read: a later write changes the stat
    except OSError as error:
        raise_if_short(error)
        return fine
    if again is None or again.kind is None or again.key() != ours.scan:
        return fine
    return jobs.BytesChecked(job.folder, doubt.path, ours.scan, why)


def _is_part(reader: Reader, entry: Entry, doubt: jobs.Doubt) -> bool:
    """Whether this file of ours has that chunk at that offset, by our lists."""
    if entry.deleted or entry.kind is not Kind.FILE:
        return False
    if not entry.depth:
        return (doubt.id, doubt.offset, doubt.length) == (bytes(entry.content), 0, entry.size)
    rows = _rows_of(reader, entry)
    if rows is None:
        return False
    place = doubt.offset, doubt.length
    return any((rows.offset(at), rows.length(at)) == place for at in rows.find({doubt.id}))


def _rows_of(reader: Reader, entry: Entry) -> Rows | None:
    """All rows of a large file of ours; None if it is none, or if a list is missing."""
    if entry.kind is not Kind.FILE or entry.deleted or not entry.depth:
        return None
    try:
        rows = expand(entry.content, entry.depth, entry.size, reader.list_rows)
    except Refused:
        return None
    return rows if isinstance(rows, Rows) else None


def _read(
    reader: Reader, near: LastFolder, home: str | None, want: Want, keys: FolderKeys
) -> Found:
    """The result of disk/chunk_reader for one want. The chunks are read from `home`, and those it
    lacks from other files with the same content. If no file of ours has the content, they are read
    from its `.lefting`, as far as it has arrived."""
    asks = [(ask.id, ask.offset, ask.length) for ask in want.asks]
    if home is None:
        found, lacking, _ = read_chunks(near, _arriving(reader, want.content), asks, keys)
        return found, lacking, []  # a chunk that has not arrived yet is not stale
    found, lacking, moved = read_chunks(near, [home], asks, keys)
    if lacking:
        others = [row.entry.path for row in reader.twins(want.content) if row.entry.path != home]
        left = [ask for ask in asks if ask[0] in lacking]
        more, lacking, also = read_chunks(near, others, left, keys)
        found += more
        moved += also
    return found, lacking, moved


def _arriving(reader: Reader, content: bytes) -> Sequence[str]:
    """The paths of the `.lefting` of a content and of its target: the `.lefting` may have been
    renamed to that a moment ago."""
    return [path for staged, target in reader.staged_as(content) for path in (staged.path, target)]
