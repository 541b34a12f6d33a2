"""What `leftzmq status` and `leftzmq problems` say, as plain values.

Knows the names of fields. Of lists that others can make long it says the first ones; beside each
stands how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from leftzmq.errors import Problem
from leftzmq.sync.downloader import Downloader
from leftzmq.sync.folder import Folder
from leftzmq.sync.paging import PAGE_BYTES, PAGE_ITEMS, fitting
from leftzmq.sync.peer import State
from leftzmq.sync.peers import Peers

SHOWN: Final = 100
SHOWN_BYTES: Final = 6 << 20
"""Of all lists of all folders: a reply holds 16 MiB."""
_LISTS: Final = 3  # of a folder


def status(
    name: str,
    key: str,
    keyless: Iterable[str],
    peers: Peers,
    folders: Iterable[Folder],
    downloader: Downloader,
) -> dict[str, Any]:
    """The whole answer. keyless: peers of peer.toml that have no key and are never connected."""
    shown = [
        {
            "name": peer.name,
            "connected": peer.state is State.CONNECTED,
            "state": peer.state.name.lower(),
            "note": peer.refusal_told,
        }
        for peer in peers.by_key.values()
    ]
    shown += [{"name": name, "connected": False, "state": "no key", "note": ""} for name in keyless]
    shares = list(folders)
    room = SHOWN_BYTES // (_LISTS * max(1, len(shares)))
    return {
        "device": name,
        "key": key,
        "peers": shown,
        "folders": [_folder(folder, downloader, peers, room) for folder in shares],
    }


def problems(folder: Folder, after: int) -> dict[str, Any]:
    """A page of the problems that came after the one with this number, the oldest first.

    after: the cursor of the last one, where there are more; else "". hidden: problems of which only
    their number is known
    """
    found = (_problem(p) | {"cursor": str(number)} for number, p in folder.problems.after(after))
    page, whole = fitting(found, PAGE_ITEMS, PAGE_BYTES)
    return {
        "folder": folder.id,
        "problems": page,
        "hidden": folder.problems.hidden,
        "after": "" if whole else page[-1]["cursor"],
    }


def _problem(problem: Problem) -> dict[str, str]:
    return {"path": problem.path, "problem": problem.kind.name, "text": str(problem)}


def _folder(
    folder: Folder, downloader: Downloader, peers: Peers, most_bytes: int
) -> dict[str, Any]:
    """most_bytes: of each list."""
    tally = folder.indexes.tally
    runs = folder.stopped is None
    copies = folder.store.conflict_copies(limit=SHOWN) if runs and tally.conflicts else []
    arriving = [a for a in downloader.under_way() if a.folder == folder.id]
    under_way = (
        {
            "path": a.entry.path,
            "size": a.entry.size,
            "have": a.have_bytes,
            "phase": a.phase.name,
            "sources": [
                {"name": peers.by_key[device].name, "rate": int(rate)}
                for device, rate in sorted(downloader.sources(a).items())
            ],
        }
        for a in arriving
    )
    troubles = (_problem(problem) for _, problem in folder.problems.after(0))
    return {
        "id": folder.id,
        "state": folder.state.value,
        "shared_with": sorted(peers.name(device) for device in folder.members),
        "why": folder.stopped_why,
        "files": tally.files,
        "bytes": tally.bytes,
        "tickets": tally.tickets,
        "need_bytes": tally.need_bytes,
        "problems": len(folder.problems),
        "conflicts": tally.conflicts,
        "sent_bytes": folder.sent_bytes,
        "received_bytes": folder.received_bytes,
        "held": folder.guard.status(),
        "rate": int(downloader.rate_bytes_s()),
        "arriving": len(arriving),
        "under_way": fitting(under_way, SHOWN, most_bytes)[0],
        "problem_list": fitting(troubles, SHOWN, most_bytes)[0],
        "conflict_list": fitting((row.entry.path for row in copies), SHOWN, most_bytes)[0],
    }
