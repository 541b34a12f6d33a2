"""Mistakes in the write order: flushing, naming, giving way.

Knows the text of disk/ and of tree/plan. Must not know how a bug is run.
"""

from __future__ import annotations

from typing import Final

from .bug import Bug, Edit

FLUSHES: Final = (
    Bug(
        "no flush of file data",
        "Write order 2: mtime and exec set, file flushed; then 3: it gets its name.",
        (
            Edit(
                "leftzmq/disk/apply/ready.py",
                "            return Ready(key, seen, lost), flushes.file(file, together)\n",
                "            return Ready(key, seen, lost), False\n",
            ),
            Edit(
                "leftzmq/disk/apply/ready.py",
                "    failure = flushes.everything() if left else None\n",
                "    failure = None\n",
            ),
        ),
        frozenset(("I4",)),
        ("tests/unit/disk/test_apply.py",),
    ),
    Bug(
        "a file is moved into a new folder of the trash that is not durable",
        "Write order 4: a new folder is durable before anything is moved into it.",
        (
            Edit(
                "leftzmq/disk/trash/trash.py",
                "                    self._settle(tuple(self._unsettled))\n",
                "",
            ),
        ),
        frozenset(("I2", "I2 tree", "I2 folder")),
        ("tests/sim/test_cut_batches.py", "tests/sim/test_seeds.py"),
    ),
    Bug(
        "no flush of directories",
        "Write order 4: the directories are flushed. 5: the index commits.",
        (
            Edit(
                "leftzmq/disk/apply/flush.py",
                "        for path in dict.fromkeys((*self._made, *self._touched)):\n",
                "        for path in ():\n",
            ),
        ),
        frozenset(("I2", "I2 tree")),
        ("tests/unit/disk/test_apply.py",),
    ),
    Bug(
        "what could not be flushed is believed",
        "Nothing that a power cut may take back is told: a folder whose flush failed is flushed"
        " before what a look found there is believed.",
        (
            Edit(
                "leftzmq/work/unflushed_names.py",
                "        return [self._problem(id, each, doubted) or each for each in seen]\n",
                "        return seen\n",
            ),
            Edit(
                "leftzmq/work/unflushed_names.py",
                "        doubted = self._flush(root, news)\n",
                "",
            ),
        ),
        frozenset(("I2", "I2 tree", "I2 folder", "I3", "I3 folder")),
        ("tests/unit/work/test_unflushed_names.py", "tests/sim/test_unflushed.py"),
    ),
    Bug(
        "together also after a flush of everything failed",
        "The error of a flush of everything is told to one caller: after it each file is flushed"
        " alone, and says itself what it lost.",
        (
            Edit(
                "leftzmq/work/unflushed_names.py",
                "            self._is_sick = True\n",
                "            self._is_sick = False\n",
            ),
        ),
        frozenset(("I4",)),
        ("tests/unit/work/test_unflushed_names.py", "tests/sim/test_unflushed.py"),
    ),
    Bug(
        "what an earlier life did is believed to be flushed",
        "After a kill between a name and the flush of its folder, what the next start finds there"
        " is flushed before it is told.",
        (
            Edit(
                "leftzmq/work/unflushed_names.py",
                "        self._everything = everything\n",
                "        self._everything = False\n",
            ),
        ),
        frozenset(("I2", "I2 tree", "I2 folder", "I3", "I3 folder")),
        ("tests/unit/work/test_unflushed_names.py", "tests/sim/test_unflushed.py"),
    ),
    Bug(
        "a failed flush is passed over",
        "A failed flush throws the `.lefting` away; it is never retried on the same file.",
        (
            Edit(
                "leftzmq/disk/apply/ready.py",
                "        except OSError as error:\n"
                "            with suppress(OSError):\n"
                "                throw_away(folder, staged)\n"
                "            raise _FlushFailed(error) from error\n",
                "        except OSError:\n            return Ready(key, seen, lost), False\n",
            ),
        ),
        frozenset(("I4",)),
        ("tests/unit/disk/test_apply.py",),
    ),
)

NAMES: Final = (
    Bug(
        "no look after the exchange",
        "Replace: exchange, then look at what came out: if it is not what the index says, a user"
        " wrote meanwhile: it goes back or becomes the conflict copy.",
        (
            Edit(
                "leftzmq/disk/apply/swap.py",
                "        if found is None or old is None or not is_still(found, old.key):\n"
                '            raise Stopped(Ending.CHANGED, "it was written in this instant")\n',
                "        assert found is not None\n",
            ),
        ),
        frozenset(("I2", "I2 tree")),
        ("tests/unit/disk/test_apply.py",),
    ),
    Bug(
        "a copy takes the name of another copy",
        "Of its own accord the agent never deletes or replaces a copy.",
        (
            Edit(
                "leftzmq/disk/apply/swap.py",
                "        if found is not None and copy_to is not None"
                " and self.folder.stat(name_of(copy_to)):\n",
                "        if False:\n",
            ),
            Edit(
                "leftzmq/disk/apply/swap.py",
                "        except FileExistsError as error:\n"
                '            raise Stopped(Ending.CHANGED, f"{copy_to} is there already")'
                " from error\n",
                "        except FileExistsError:\n"
                "            spot.folder.exchange(spot.name, self.folder, name_of(copy_to))\n"
                "            spot.folder.unlink(spot.name)\n",
            ),
        ),
        frozenset(("I2", "I2 tree")),
        ("tests/unit/disk/test_apply.py",),
    ),
    Bug(
        "what was replaced is unlinked",
        "Nothing is ever overwritten or unlinked unseen: else to the trash.",
        (
            Edit(
                "leftzmq/disk/apply/swap.py",
                (
                    "        if copy_to is None:\n"
                    "            self.trash.move_in(spot, self.operation.path)\n"
                ),
                "        if copy_to is None:\n            spot.folder.unlink(spot.name)\n",
            ),
        ),
        frozenset(("I2",)),
        ("tests/unit/disk/test_apply.py",),
    ),
    Bug(
        "a crash forgets a copy that is due",
        "A version that lost unseen becomes a conflict copy, also if a crash comes between the"
        " exchange and its naming.",
        (
            Edit(
                "leftzmq/sync/apply/set_aside.py",
                "        if operation is None:\n"
                "            return self._leftings.discard(staged)\n",
                "        if True:\n            return self._leftings.discard(staged)\n",
            ),
        ),
        frozenset(("I2 tree",)),
        ("tests/sim/test_cuts.py",),
    ),
    Bug(
        "a copy is begun before its row is durable",
        "Before an exchange whose old version is to be a copy the row of the .lefting is durable:"
        " after a power cut it says whose that is.",
        (
            Edit(
                "leftzmq/work/runner.py",
                "        if any(operation.copy_to and operation.staged for operation in"
                " job.operations):\n",
                "        if False:\n",
            ),
        ),
        frozenset(("I2", "I2 tree")),
        ("tests/sim/test_cuts.py",),
    ),
    Bug(
        "parents deleted before children",
        "plan orders what is to be done: children deleted before parents.",
        (
            Edit(
                "leftzmq/tree/plan.py",
                "    removes.sort(key=lambda o: sort_key(o.path), reverse=True)\n",
                "    removes.sort(key=lambda o: sort_key(o.path))\n",
            ),
        ),
        frozenset(("I1", "I3 folder")),
        ("tests/unit/tree/test_plan.py",),
    ),
)

READERS: Final = (
    Bug(
        "what arrives may be read by all",
        "A `.lefting` is private until its bytes are there: whose mode it gets is known then.",
        (
            Edit(
                "leftzmq/disk/staging/staging.py",
                "                file.write(0, data)\n                if not heir_of(",
                "                file.set_mode(folder.new_mode(entry.exec))\n"
                "                file.write(0, data)\n"
                "                if not heir_of(",
            ),
        ),
        frozenset(("private",)),
        ("tests/unit/disk/test_staging.py",),
    ),
    Bug(
        "a group that cannot be kept leaves its bits to another one",
        "A file that is replaced is open to nobody who could not read it before.",
        (
            Edit(
                "leftzmq/disk/fs/permissions.py",
                "    if not group_kept:\n        mode = _without_group(mode)\n",
                "    if not group_kept and acl is not None:\n        mode = _without_group(mode)\n",
            ),
        ),
        frozenset(("private",)),
        ("tests/unit/disk/test_permissions.py",),
    ),
    Bug(
        "a chmod between the look and the exchange is lost",
        "A user who takes a file's readers away while it is being replaced means its name.",
        (
            Edit(
                "leftzmq/disk/apply/swap.py",
                "            if access_of(old) == seen:\n",
                "            if access_of(old) == seen or True:\n",
            ),
        ),
        frozenset(("private",)),
        ("tests/unit/disk/test_permissions.py",),
    ),
)

ROOM: Final = (
    Bug(
        "where there is no room the trash keeps nothing of the last hour",
        "The newest version of each path that was taken within the last hour stays in any case.",
        (
            Edit(
                "leftzmq/disk/trash/make_room.py",
                "        if is_newest:\n            return\n",
                "        if is_newest:\n"
                "            self._last.append(version)\n"
                "            return\n",
            ),
        ),
        frozenset(("I2",)),
        ("tests/unit/disk/test_make_room.py",),
    ),
    Bug(
        "what waits for room may wait without a Problem",
        "A ticket that waits for room has its Problem.",
        (
            Edit(
                "leftzmq/sync/apply/applier.py",
                (
                    "        if self._space_waits.hopes:\n"
                    "            return []\n"
                    "        return self._pr"
                ),
                (
                    "        if not self._space_waits.hopes:\n"
                    "            return []\n"
                    "        return self._pr"
                ),
            ),
        ),
        frozenset(),
        ("tests/unit/sync/apply/test_small_disk.py", "tests/unit/sync/apply/test_space_waits.py"),
    ),
)

ROT: Final = (
    Bug(
        "what is rotten is given up though nobody can be asked for it",
        "Bytes that changed without a change of time stay ours until another device can give them.",
        (
            Edit(
                "leftzmq/sync/upload/bit_rot.py",
                "        if self._is_elsewhere(path, ours) and self._resolver",
                "        if self._resolver",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/upload/test_bit_rot.py",),
    ),
    Bug(
        "who asks for what a file never had makes it rotten",
        "What a device asks for says nothing of a file of ours: our own lists do.",
        (
            Edit(
                "leftzmq/work/serve_jobs.py",
                "ours.scan is None or not _is_part(reader, ours.entry, doubt):",
                "ours.scan is None:",
            ),
        ),
        frozenset(),
        ("tests/unit/sync/upload/test_bit_rot.py",),
    ),
)

ERRORS: Final = (
    Bug(
        "no descriptors means not our share",
        "No descriptors, no memory or an i/o error while the marker is read say nothing of the"
        " share: it is looked at again.",
        (
            Edit(
                "leftzmq/disk/fs/errno_meaning.py",
                "        case _:\n            return StopCause.HELD_UP\n",
                "        case _:\n            return StopCause.INDEX_BROKEN\n",
            ),
        ),
        frozenset(("I11",)),
        ("tests/unit/sync/test_reopening.py",),
    ),
    Bug(
        "no descriptors means gone",
        "I10, I11: what cannot be looked at is not gone.",
        (
            Edit(
                "leftzmq/disk/fs/errno_meaning.py",
                "_GONE: Final = frozenset((errno.ENOENT,",
                "_GONE: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOENT,",
            ),
        ),
        frozenset(("I1", "I2", "I2 tree", "I11", "AssertionError", "KeyError")),
        ("tests/unit/sync/test_reopening.py",),
    ),
    Bug(
        "a folder is opened while its jobs run",
        "None of the old machines' jobs is under way when those of a new life begin.",
        (
            Edit(
                "leftzmq/sync/reopening.py",
                "            if rest.state is FolderRest.RESTING and not self._out[folder]\n",
                "            if rest.state is FolderRest.RESTING\n",
            ),
        ),
        frozenset(("I1", "I2", "I2 tree", "I4", "AssertionError", "KeyError")),
        ("tests/unit/sync/test_reopening.py",),
    ),
)

MOUNTS: Final = (
    Bug(
        "whatever is mounted at a start is the mount that we know",
        "I11: where a mount inside it is another one, nothing below counts as changed.",
        (
            Edit(
                "leftzmq/disk/scan/mounts.py",
                "        return device != above and self._devices.get(path) == device\n",
                "        return device != above and self._devices.get(path) in (None, device)\n",
            ),
        ),
        frozenset(("I4", "I11")),
        ("tests/unit/disk/test_mounts.py",),
    ),
    Bug(
        "what was mounted on top of a folder is known by walks alone",
        "I11: where a mount inside it is another one, nothing is written.",
        (
            Edit(
                "leftzmq/disk/scan/mounts.py",
                "        if above is None or found == above:\n",
                "        if above is None or found != above or found == above:\n",
            ),
        ),
        frozenset(("I4", "I11")),
        ("tests/unit/work/test_mount_check.py", "tests/unit/disk/test_mounts.py"),
    ),
)

SPELLINGS: Final = (
    Bug(
        "a name is there if the disk answers for it",
        "On a disk that takes two spellings for one name, what is there is what readdir says.",
        (
            Edit(
                "leftzmq/disk/fs/spelling.py",
                "        return found if found is None or self._lists(name) else None\n",
                "        return found\n",
            ),
        ),
        frozenset(("I1", "I2", "I2 tree", "I3", "I8")),
        ("tests/unit/disk/test_spelling.py",),
    ),
    Bug(
        "what is beside another spelling is tried without a Problem",
        "Two names that fold to one are a Problem on that device alone.",
        (
            Edit(
                "leftzmq/sync/apply/applier.py",
                "        return out + self._problems.show(beside)\n",
                "        return out\n",
            ),
        ),
        frozenset(("I1",)),
        ("tests/sim/test_spellings.py",),
    ),
)

BUGS: Final = (*FLUSHES, *NAMES, *READERS, *ROOM, *ROT, *ERRORS, *MOUNTS, *SPELLINGS)
