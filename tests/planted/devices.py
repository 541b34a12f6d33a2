"""Mistakes between devices: news, pages, generations, commits, and what is told too early.

Knows the text of sync/ and index/. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

_MESH = (
    "tests/unit/sync/test_mesh.py",
    "tests/unit/sync/test_many.py",
    "tests/unit/sync/test_crash.py",
)

TOLD: Final = (
    Bug(
        "news before the index is flushed",
        "A sequence is durable before news names it.",
        (
            Edit(
                "leftzmq/sync/exchange/announcer.py",
                "        return [*out, Work(Flush(self.folder, self._store.heads.sequence))]\n",
                "        flushed = Flushed(self.folder, self._store.heads.sequence)\n"
                "        return [*out, *self.on_flushed(flushed, 0.0)]\n",
            ),
        ),
        frozenset(("I8 durable",)),
        _MESH,
    ),
    Bug(
        "the index is committed before the rename",
        "Write order 3 to 5: the name is given, the directories are flushed, the index commits.",
        (
            Edit(
                "leftzmq/sync/apply/applier.py",
                "            out.append(Work(Apply(self.folder, number, operations",
                "            for each in operations:\n"
                "                if each.copy_to is None and each.moved is None:\n"
                "                    self._versions.take(each.entry, None)\n"
                "            out.append(Work(Apply(self.folder, number, operations",
            ),
        ),
        frozenset(("I1", "I2", "I2 tree", "I3", "I8")),
        _MESH,
    ),
    Bug(
        "a folder is said to be gone before what is below it",
        "Who heard of the folder first would think that the rest is to stay, and keep it.",
        (
            Edit(
                "leftzmq/sync/scan/pending_deletes.py",
                "            if is_empty(path):\n                gone.append(held)\n",
                "            if True:\n                gone.append(held)\n",
            ),
            Edit(
                "leftzmq/sync/scan/pending_deletes.py",
                "        gone = [held for held in self._files"
                " if quiet or held.until <= now]\n"
                "        stuck: list[_Held] = []\n"
                "        if not gone and self._folders and now >= self._next_try:\n"
                "            gone, stuck = self._empty_folders(now, is_empty)\n",
                "        gone, stuck = self._empty_folders(now, is_empty)\n"
                "        gone += [held for held in self._files if quiet or held.until <= now]\n"
                "        if True:\n",
            ),
        ),
        frozenset(("I3 folder", "I1", "I3")),
        _MESH,
    ),
)

HEARD: Final = (
    Bug(
        "what a removed device said still counts",
        "A device that is taken out is given up in every folder.",
        (
            Edit(
                "leftzmq/sync/exchange/index_client.py",
                (
                    "        self._paged_at.pop(device, None)\n"
                    "        self._index_view.give_up(device)\n"
                ),
                "        self._paged_at.pop(device, None)\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/peers/test_peer_list.py",),
    ),
    Bug(
        "a gap in sequences is ignored",
        "A gap, another life or an impossible number has one cure: index_since.",
        (
            Edit(
                "leftzmq/sync/exchange/index_client.py",
                "        if page.life != head.life or page.after > head.head:\n",
                "        if page.life != head.life:\n",
            ),
        ),
        frozenset(("I1",)),
        _MESH,
    ),
    Bug(
        "news is taken before the pages of the answer",
        "News above the end of a running answer is kept and applied after its last page.",
        (
            Edit(
                "leftzmq/sync/exchange/index_client.py",
                "            if len(running.kept) < KEPT_PAGES_MAX:\n"
                "                running.kept.append(fact.page)\n"
                "            return []\n",
                "            return self._hear(fact.page, device, now)\n",
            ),
        ),
        frozenset(("I1",)),
        _MESH,
    ),
    Bug(
        "any life is answered from its number",
        "index_since (life, N) is answered from N only if that life is in the chain and N is not"
        " above its last sequence.",
        (
            Edit(
                "leftzmq/index/heads.py",
                "        return last is not None and after"
                " <= (self._sequence if life == self.life else last)\n",
                "        return after <= self._sequence\n",
            ),
        ),
        frozenset(("I1",)),
        ("tests/unit/index/test_store.py", *_MESH),
    ),
    Bug(
        "an old generation still counts",
        "The old generation counts neither as holder nor as acknowledgement from the first page"
        " of the new one on.",
        (
            Edit(
                "leftzmq/sync/versions/index_view.py",
                "        self.reach = self.reach & ~before | head.mask\n",
                "        self.reach |= head.mask\n",
            ),
            Edit(
                "leftzmq/sync/versions/index_view.py",
                "            if swept := self.store.heads.swept_mask:\n",
                "            if swept := 0:\n",
            ),
            Edit(
                "leftzmq/sync/versions/index_view.py",
                "        self._to_sweep.update(set("
                "self.store.heads.to_sweep(device)) - under_way)\n",
                "        self._to_sweep.update(())\n",
            ),
        ),
        frozenset(("I1", "I2", "I2 tree", "I3", "AssertionError")),
        ("tests/unit/sync/versions/test_local_changes.py", *_MESH),
    ),
    Bug(
        "an old generation keeps its bit although none is free",
        "No free bit is a wait, and old generations are swept for who waits.",
        (
            Edit(
                "leftzmq/sync/exchange/index_client.py",
                "        if not waiting or self._index_view.sweep_all():\n",
                "        if True:\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/exchange/test_index_waits.py",),
    ),
    Bug(
        "what an index that failed did not commit goes out",
        "Where an index fails nothing that was decided since its last commit stands, or goes out.",
        (
            Edit(
                "leftzmq/sync/node.py",
                "        return opens or self.folders[id].store.failed is None\n",
                "        return True\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/test_index_fails.py",),
    ),
    Bug(
        "the log of an index grows while others say much",
        "What others say is checkpointed while it comes.",
        (
            Edit(
                "leftzmq/sync/exchange/announcer.py",
                "        if self._flushing or (is_durable and self._store.log_bytes"
                " <= CHECKPOINT_BYTES):\n",
                "        if self._flushing or is_durable:\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/exchange/test_index_bounds.py",),
    ),
)

COME_AND_GO: Final = (
    Bug(
        "a cloned machine is taken for one that was restarted",
        "Two agents with one key are an error on all devices that hear both.",
        (
            Edit(
                "leftzmq/sync/peers/cloned_device.py",
                "each.last > newest + LATE_S for each in recent",
                "each.last > latest for each in recent",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/peers/test_cloned_device.py",),
    ),
    Bug(
        "mine is what has the file's name",
        "`conflicts resolve --mine`: the version of this device wins, whichever name it has.",
        (
            Edit(
                "leftzmq/disk/apply/resolve.py",
                "    return Choice.COPY if copy_is_ours is (wish is Wish.MINE) else Choice.FILE\n",
                "    return Choice.FILE if wish is Wish.MINE else Choice.COPY\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/admin/test_conflicts.py",),
    ),
    Bug(
        "the first reason why a device is not connected stays",
        "The reason that `status` says is the one of now.",
        (
            Edit(
                "leftzmq/sync/peers/greeting.py",
                "        peer.away, peer.away_why = fact.away, fact.why\n",
                "        peer.away = peer.away or fact.away\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/admin/test_peer_progress.py",),
    ),
    Bug(
        "a folder that stops is told to nobody",
        "Of a folder that is stopped its members hear that it is, and why.",
        (
            Edit(
                "leftzmq/sync/routes/folders.py",
                (
                    "        self.reopening.on_folder_stopped(fact, now)\n"
                    "        self.peers.on_folder_stopped(now)\n"
                ),
                "        self.reopening.on_folder_stopped(fact, now)\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/admin/test_peer_progress.py",),
    ),
    Bug(
        "who is ahead of us counts as behind",
        "A device is behind where it lacks what we have, and not where it has something newer.",
        (
            Edit(
                "leftzmq/sync/versions/peer_counts.py",
                "                up |= row.holders\n",
                "",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/admin/test_peer_progress.py",),
    ),
    Bug(
        "a proof is good for both ways",
        "A row that was said to somebody is of no use towards anybody else, nor towards who said"
        " it.",
        (
            Edit(
                "leftzmq/content/keys.py",
                "    out = blake3(sender + receiver, key=keys.hello_key)",
                "    out = blake3(b''.join(sorted((sender, receiver))), key=keys.hello_key)",
            ),
        ),
        frozenset(("I1",)),
        ("tests/unit/sync/peers/test_membership.py",),
    ),
    Bug(
        "greetings have no rate",
        "A device above a stated rate of messages is dropped by name.",
        (
            Edit(
                "leftzmq/sync/exchange/rate_limits.py",
                "        if bucket.takes(rate, rate.cost(len(frame)), now):\n",
                "        if bucket.takes(rate, rate.cost(len(frame)), now) or rate is GREETINGS:\n",
            ),
        ),
        frozenset(("AssertionError",)),
        ("tests/unit/sync/exchange/test_rate_limits.py",),
    ),
    Bug(
        "a device that refuses stays a member",
        "A device is a member exactly while there is a link over which it greeted us; the one place"
        " where it is lost tells everybody who keeps something of it.",
        (
            Edit(
                "leftzmq/sync/peers/greeting.py",
                "        peer.welcomed, peer.came = False, None\n        why = _why(refusing)\n",
                "        peer.move(Move.UNGREETED)\n"
                "        return self._told_refusal(peer, _why(refusing))\n",
            ),
        ),
        frozenset(("AssertionError",)),
        ("tests/unit/sync/peers/test_orders.py",),
    ),
)

BUGS: Final = (*TOLD, *HEARD, *COME_AND_GO)
