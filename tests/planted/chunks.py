"""Mistakes with what is read: chunks on their way, and looks at what lies in the share.

Knows the text of content/, disk/ and of the machines that lead to a read. Must not know how a bug
is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

CHUNKS: Final = (
    Bug(
        "a chunk at the offset it had in the source",
        "What is looked for at home goes to its place in the new file, not to its old one.",
        (
            Edit(
                "leftzmq/disk/staging/local_copy.py",
                "    put(target, staged, offset, bytes(length) if data is None else data)\n",
                "    put(target, staged, source_offset, bytes(length) if data is None else data)\n",
            ),
        ),
        frozenset(("I4",)),
        ("tests/unit/disk/test_local_copy.py", "tests/unit/sync/download/test_swarm.py"),
    ),
    Bug(
        "what was shared with a file at home is believed",
        "What came by sharing blocks is read back and checked: a user may have written meanwhile.",
        (
            Edit(
                "leftzmq/disk/staging/local_copy.py",
                "    if unseen and held(target, offset, length, id, keys) is not None:\n",
                "    if unseen:\n",
            ),
        ),
        frozenset(("I1", "I4")),
        ("tests/unit/disk/test_local_copy.py",),
    ),
    Bug(
        "a chunk beside its offset",
        "I4: under its final name a file holds bytes that a user wrote, whole.",
        (
            Edit(
                "leftzmq/disk/staging/staging.py",
                "            put(file, staged, offset, data)\n            written",
                "            put(file, staged, offset + 1, data)\n            written",
            ),
        ),
        frozenset(("I1", "I4")),
        ("tests/unit/disk/test_staging.py",),
    ),
    Bug(
        "named before all chunks are there",
        "Write order 2: when all chunks are there.",
        (
            Edit(
                "leftzmq/sync/download/transfer.py",
                "        return self.have_bytes == self.entry.size\n",
                "        return 2 * self.have_bytes > self.entry.size\n",
            ),
        ),
        frozenset(("I4",)),
        ("tests/unit/sync/download/test_swarm.py", "tests/unit/sync/test_mesh.py"),
    ),
    Bug(
        "a found .lefting is believed",
        "A `.lefting` found at start is verified chunk by chunk and continued.",
        (
            Edit(
                "leftzmq/disk/staging/staging.py",
                "        return [at for id, at, length in chunks"
                " if held(file, at, length, id, keys) is not None]\n",
                "        return [at for _, at, _ in chunks]\n",
            ),
        ),
        frozenset(("I4",)),
        ("tests/unit/disk/test_staging.py", "tests/unit/sync/test_crash.py"),
    ),
    Bug(
        "who overtakes a file that waits for its holder says so to nobody",
        "I6: a `.lefting` that nobody will want any more goes.",
        (
            Edit(
                "leftzmq/sync/versions/index_view.py",
                "        if path in self.kept or path in self.apart:\n",
                "        if path in self.begun or path in self.apart:\n",
            ),
        ),
        frozenset(("I6",)),
        ("tests/unit/sync/apply/test_leftings.py",),
    ),
    Bug(
        "two versions of a path are made at once",
        "I6: a kill leaves no `.lefting` behind of which nobody knows whose it is.",
        (
            Edit(
                "leftzmq/sync/download/small_files.py",
                "        return self._folders[folder].store.leftings.is_taken(",
                "        return False and (",
            ),
        ),
        frozenset(("I1", "I6")),
        ("tests/unit/sync/apply/test_leftings.py",),
    ),
    Bug(
        "whose a .lefting is goes with the index that is damaged",
        "A folder that goes on knows what the one before it had under way.",
        (
            Edit(
                "leftzmq/sync/apply/leftings.py",
                "        self._known = {each.staged.path: each for each in existing}"
                " | before._known\n",
                "        self._known = {}\n",
            ),
        ),
        frozenset(("I1", "I6")),
        ("tests/unit/sync/apply/test_leftings.py",),
    ),
    Bug(
        "a chunk is served unchecked",
        "Serving checks a chunk's id before it is sent.",
        (
            Edit(
                "leftzmq/disk/chunk_reader.py",
                "    if len(data) != length or chunk_id(keys, data) != id:\n",
                "    if len(data) != length:\n",
            ),
        ),
        frozenset(("Dropped",)),
        ("tests/unit/sync/test_mesh.py", "tests/unit/sync/versions/test_local_changes.py"),
    ),
    Bug(
        "a chunk is accepted unchecked",
        "A box that opens is still checked against its id.",
        (
            Edit(
                "leftzmq/content/seal.py",
                "    if len(plain) != length or not compare_digest(chunk_id(keys, plain), id):\n",
                "    if len(plain) != length:\n",
            ),
        ),
        frozenset(("I4",)),
        ("tests/unit/content/test_seal.py",),
    ),
)

LOOKS: Final = (
    Bug(
        "a hash of a file that moves",
        "Hashing checks the file's stat before and after.",
        (
            Edit(
                "leftzmq/disk/scan/scanner.py",
                "        if after != key or len(data) != key.size:\n",
                "        if False:\n",
            ),
        ),
        frozenset(("I2", "I2 tree", "I8")),
        ("tests/unit/disk/test_scanner.py",),
    ),
    Bug(
        "a stat of the last 20 ms is believed",
        "And once more if mtime or ctime is younger than 20 ms.",
        (
            Edit(
                "leftzmq/disk/scan/scanner.py",
                "        if _is_racy(stat, now_ns):\n",
                "        if False:\n",
            ),
        ),
        frozenset(("I2", "I2 tree", "I8", "I1")),
        ("tests/unit/disk/test_scanner.py",),
    ),
    Bug(
        "an edit that was read at once is not read again",
        "What was read at once goes into the index with a ctime that no file has.",
        (
            Edit(
                "leftzmq/disk/scan/scanner.py",
                "    return replace(seen, key=seen.key.as_young(), young=True)\n",
                "    return seen\n",
            ),
        ),
        frozenset(("I2", "I2 tree", "I8", "I1")),
        ("tests/unit/disk/test_scanner.py",),
    ),
    Bug(
        "settled while it is still written",
        "Quiet: a file modified without a close when size and mtime stood still for 1 s.",
        (
            Edit(
                "leftzmq/sync/scan/classifier.py",
                (
                    "        if touched.closed or key.kind is not"
                    " Kind.FILE or sighting.age_ns >= QUIET_NS:\n"
                ),
                "        if True:\n",
            ),
        ),
        frozenset(("I4",)),
        ("tests/unit/sync/versions/test_local_changes.py",),
    ),
    Bug(
        "every touch puts a look off",
        "A bound from the first touch: what is written all the time is taken all the same.",
        (
            Edit(
                "leftzmq/sync/scan/look_times.py",
                "        return min(now + rest_s, self.bound)\n",
                "        return now + rest_s\n",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/scan/test_look_queue.py", "tests/unit/sync/scan/test_written.py"),
    ),
    Bug(
        "a touch leaves the patience as it was lost",
        "A touch brings a look nearer, and what was seen before it says nothing of what is now.",
        (
            Edit(
                "leftzmq/sync/scan/look_times.py",
                "        self.rest_s = QUIET_S\n",
                "",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/scan/test_written.py",),
    ),
    Bug(
        "a write through one name is under that one",
        "A look at a file with more than one name looks at all names that the index knows.",
        (
            Edit(
                "leftzmq/sync/scan/hard_links.py",
                "            found.update(dict.fromkeys(others))\n",
                "",
            ),
        ),
        frozenset(("I1", "I8")),
        ("tests/unit/sync/scan/test_hard_links.py",),
    ),
    Bug(
        "what grew is read once",
        "Only bytes that are the same at two readings were in a growing file together.",
        (
            Edit(
                "leftzmq/sync/scan/chunking.py",
                "        torn = cutting.grew and (cutting.stopped or not is_same)",
                "        torn = False and not is_same",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/scan/test_written.py",),
    ),
    Bug(
        "what grew is read twice before anything is written",
        "The second reading comes after another write by which the file grew.",
        (
            Edit(
                "leftzmq/sync/scan/chunking.py",
                "        return bool(self.again) and self.again[0].before == self.parts[-1].after",
                "        return False and self.again[0].before == self.parts[-1].after",
            ),
            Edit(
                "leftzmq/sync/scan/chunking.py",
                "            if part.still and cutting.is_read and cutting.grew:",
                "            if False and cutting.is_read and cutting.grew:",
            ),
        ),
        frozenset(("I4",)),
        ("tests/unit/sync/scan/test_written.py",),
    ),
    Bug(
        "what cannot be read is gone",
        "I10, I11: what cannot be looked at is not gone, nor is anything below it.",
        (
            Edit(
                "leftzmq/disk/scan/scanner.py",
                "            return self._problem(path, ProblemKind.UNREADABLE,"
                " error.strerror or str(error))\n",
                "            return self._gone(path)\n",
            ),
            Edit(
                "leftzmq/disk/scan/walk.py",
                "        self._index.skip(key)\n\n    def _problem",
                "\n    def _problem",
            ),
        ),
        frozenset(("I2", "I2 tree", "I1", "I8")),
        ("tests/unit/disk/test_scanner.py", "tests/unit/disk/test_walk.py"),
    ),
    Bug(
        "a share that is missing is empty",
        "I11: a share that is missing or replaced never means that everything was deleted.",
        (
            Edit(
                "leftzmq/work/runner.py",
                (
                    "        # Checked after the look: GONE means deleted only while"
                    " the share is still there.\n"
                    "        stop = context.still_there()\n"
                ),
                "        stop = None\n",
            ),
            Edit(
                "leftzmq/work/runner.py",
                (
                    "            stop = context.still_there()  # a share"
                    " unmounted during the walk looks like deletes\n"
                ),
                "            stop = None\n",
            ),
            Edit(
                "leftzmq/work/runner.py",
                (
                    "    def _walk(self, context: FolderContext, job: jobs.Walk) -> JobDone:\n"
                    "        stop = context.still_there()\n"
                ),
                (
                    "    def _walk(self, context: FolderContext, job: jobs.Walk) -> JobDone:\n"
                    "        stop = None\n"
                ),
            ),
        ),
        frozenset(("I2", "I2 tree", "I1", "I8", "I11")),
        ("tests/unit/sync/test_mesh.py",),
    ),
)

PLACES: Final = (
    Bug(
        "a silent device takes everybody's places",
        "Places are shared: one that is silent costs the others at most one place each.",
        (
            Edit(
                "leftzmq/sync/download/transfer_slots.py",
                "                while self._taken[device, very] < self._most(very):\n",
                "                while self._taken.total() < self._most(very):\n",
            ),
        ),
        frozenset(("served",)),
        ("tests/unit/sync/download/test_transfer_slots.py",),
    ),
    Bug(
        "what nobody gives keeps its place",
        "Places are given back after a silence.",
        (
            Edit(
                "leftzmq/sync/download/failed_requests.py",
                "        return bool(times) and max(times) + NOT_GIVEN_S <= now\n",
                "        return not times and max(times) + NOT_GIVEN_S <= now\n",
            ),
        ),
        frozenset(("served",)),
        ("tests/unit/sync/download/test_transfer_slots.py",),
    ),
    Bug(
        "the lists of what has no room are fetched",
        "A size is held against the free room before anything is expanded.",
        (
            Edit(
                "leftzmq/work/runner.py",
                "        if job.begun is None and (problem :=",
                "        if job.begun is not None and (problem :=",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/download/test_expansion.py",),
    ),
)

BUGS: Final = (*CHUNKS, *LOOKS, *PLACES)
