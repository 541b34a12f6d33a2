"""What `leftzmq status` says, as plain values (docs/design.md section 10 fixes the names)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leftzmq.sync.downloader import Downloader
from leftzmq.sync.folder import Folder
from leftzmq.sync.peer import State
from leftzmq.sync.peers import Peers


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
    return {
        "device": name,
        "key": key,
        "peers": shown,
        "folders": [_folder(folder, downloader, peers) for folder in folders],
    }


def _folder(folder: Folder, downloader: Downloader, peers: Peers) -> dict[str, Any]:
    tally = folder.indexes.tally
    runs = folder.stopped is None
    copies = folder.store.conflict_copies() if runs and tally.conflicts else []
    under_way = [
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
        for a in downloader.under_way()
        if a.folder == folder.id
    ]
    return {
        "id": folder.id,
        "state": folder.state.value,
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
        "under_way": under_way,
        "problem_list": [
            {"path": p.path, "problem": p.kind.name, "text": str(p)} for p in folder.problems.all()
        ],
        "conflict_list": [row.entry.path for row in copies],
    }
