"""The reasons why a path is not the same everywhere: for each a word, a sentence, and what to do.

docs/why.md has the same list, with when each of them is given. Knows words. Must not know how a
reason is found.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Meaning(Struct, frozen=True):
    """word: as `--json` has it. sentence, cure: what a user reads; names and figures come in the
    place of {words}."""

    word: str
    sentence: str
    cure: str = ""


class WhyNot(Enum):
    """Why a path is not the same on a device as on all that keep it."""

    # nothing is to come
    SAME = Meaning("same", "it is the same {where}")
    NOTHING_THERE = Meaning("nothing there", "{peer} has nothing there, and is to have nothing")
    UNKNOWN = Meaning(
        "unknown path",
        "no device has told of anything there, and nothing lies there{trash}",
        "look how it is spelled, from the root of the share on",
    )
    DELETED = Meaning(
        "deleted",
        "{by} deleted it{trash}",
        "`leftzmq trash restore {path}` on a device that has it in its trash puts it back",
    )
    CONFLICT = Meaning(
        "conflict",
        "two devices changed it at one time, and {count} beside it: {copy}",
        "`leftzmq conflicts show {path}`, then `leftzmq conflicts resolve`",
    )
    BELOW = Meaning(
        "in it", "the folder is here, and {inner} in it is not: {reason}", "`leftzmq why {inner}`"
    )
    # on its way
    FETCHING = Meaning("being fetched", "it is on its way here from {peer}: {progress}")
    WAITS_TURN = Meaning("waits its turn", "{peer} has it, and it waits for its turn here")
    WAITS_FOR_FOLDER = Meaning(
        "waits for its folder", "the folder {folder}, which it is in, is not here yet"
    )
    TAKING_PLACE = Meaning("being put in place", "it is all here, and gets its name now")
    NOT_LOOKED_AT = Meaning(
        "not looked at yet", "what lies there here is not read yet, or is being read"
    )
    BEING_WRITTEN = Meaning(
        "being written",
        "a program writes it here: the others get it as it is from time to time, and when it is "
        "closed or stands still",
    )
    INDEX_ARRIVES = Meaning("index on its way", "what {peer} has is still being told")
    NOT_TOLD_YET = Meaning("not told yet", "what changed here is not told to the others yet")
    BEHIND = Meaning("behind", "{peer} has not said that it has it")
    # not kept
    IGNORED = Meaning(
        "ignored", "it is ignored here: {rule}", "change that rule, if it is to be synced here"
    )
    LITTER = Meaning(
        "litter",
        "it is ignored here as something that a program leaves behind ({source}): {rule}",
        "litter = false in peer.toml, if it is to be synced here",
    )
    RULES_UNREADABLE = Meaning(
        "rules cannot be read",
        "it is new, and a file of ignore rules above it cannot be read: {rule}",
        "mend that file, or remove it",
    )
    IGNORED_IN_THE_WAY = Meaning(
        "ignored in the way",
        "something that is ignored here has its name, or that of a folder above it{detail}",
        "rename or remove what lies there",
    )
    NOT_FETCHED = Meaning(
        "not fetched",
        "this device does not fetch it: `only` in peer.toml does not name it",
        "`leftzmq get {path}` fetches it",
    )
    DROPPED = Meaning(
        "dropped", "this device let it go, and does not fetch it", "`leftzmq get {path}` fetches it"
    )
    PASSED_OVER = Meaning(
        "not kept there",
        "{peer} does not keep it: it is ignored or not fetched there, or was changed there and is "
        "told to nobody",
    )
    # what cannot be synced
    NEVER_SYNCED = Meaning("never synced", "{what} is never synced")
    BAD_NAME = Meaning("bad name", "its name cannot be synced: {detail}", "rename it")
    NAME_CLASH = Meaning(
        "name clash",
        "the disk here cannot tell its name from another one{detail}",
        "rename or delete one of the two",
    )
    TOO_LARGE = Meaning("too large", "it has more chunks than a list can hold", "divide it")
    FAR_FUTURE = Meaning(
        "from the far future",
        "a device has a version of it with a time that no honest one has: it is not taken",
        "delete or `touch` it on that device, when its clock is right",
    )
    # directions
    SENDS_ONLY = Meaning(
        "sends only",
        "{by} changed it, and this device only sends the folder",
        "`leftzmq override {path}` makes what is here everybody's",
    )
    RECEIVES_ONLY = Meaning(
        "receives only",
        "it was changed here, and this device only receives the folder",
        "`leftzmq revert {path}` takes what the others have",
    )
    READS_ONLY = Meaning(
        "reads only",
        "it was changed on {peer}, which may only read the folder: the change reaches nobody",
        "copy it to another place, and let a full member change it",
    )
    # a user is to decide, or decided
    HELD_HERE = Meaning(
        "held here",
        "the guard holds back what was lost or encrypted here: {detail}",
        "`leftzmq accept` if it is meant, `leftzmq revert` if not",
    )
    HELD_ELSEWHERE = Meaning(
        "held elsewhere",
        "the guard holds back what others deleted, replaced or encrypted: {detail}",
        "`leftzmq accept` if it is meant, `leftzmq revert` if not",
    )
    PLAN_UNANSWERED = Meaning(
        "plan not answered",
        "the folder is held until the plan of its join is answered",
        "type the same `leftzmq join` again",
    )
    FOLDER_PAUSED = Meaning(
        "folder paused", "the folder is paused here", "`leftzmq resume` lets it go on"
    )
    PEER_PAUSED = Meaning(
        "peer paused", "{peer} is paused here", "`leftzmq resume --peer {peer}` lets it go on"
    )
    LIMIT_OFF = Meaning(
        "limit off",
        'the limit of {whose} is "off" now: nothing passes to or from {peer}',
        "wait, or change `up` and `down` in peer.toml",
    )
    FOLDER_STOPPED = Meaning("folder stopped", "the folder is stopped here: {detail}")
    # devices
    AWAY = Meaning("not connected", "{peer} has it, and is not connected{detail}", "start {peer}")
    PEER_AWAY = Meaning("away", "{peer} is not connected{detail}", "start {peer}")
    REFUSES = Meaning(
        "refuses",
        "{peer} refuses to talk to this device: {detail}",
        "look at `leftzmq status` on both devices",
    )
    SHUT_OUT = Meaning(
        "shut out",
        "{peer} is shut out here, for what it sent: {detail}",
        "look at {peer}, and start it again",
    )
    NOBODY_HAS_IT = Meaning(
        "nobody has it",
        "no device that is known here has it any more",
        "let a device in that has it, or put it back from a backup",
    )
    NOT_GIVEN = Meaning(
        "not given",
        "no device that has it gives it: it is asked for again now and then{detail}",
        "look at the problems of the devices that have it",
    )
    LATER_LOST = Meaning(
        "later version lost",
        "this device told a later version of it than any that is left",
        "put it back from a backup, or `touch` it on a device that has it",
    )
    PAUSED_THERE = Meaning(
        "paused there", "the folder is paused on {peer}", "`leftzmq resume` there lets it go on"
    )
    STOPPED_THERE = Meaning(
        "stopped there",
        "the folder is stopped on {peer}: {detail}",
        "look at `leftzmq status` there",
    )
    NOT_SHARED = Meaning(
        "not shared",
        "{peer} is connected, and is not in the folder now: {detail}",
        "look at `leftzmq status` on both devices",
    )
    TWO_OF_KEY = Meaning(
        "two of that key",
        "two agents that have the key of {peer} are running",
        "stop one of them, and give it a key of its own with `leftzmq id --new`",
    )
    INDEX_WAITS = Meaning(
        "index waits",
        "what {peer} has cannot all be kept here: {detail}",
        "make room on the disk of the state directory, or look at `leftzmq problems`",
    )
    # the disk
    NO_ROOM = Meaning("no room", "too little room is left on the disk here{detail}", "make room")
    UNREADABLE = Meaning(
        "cannot be read", "it cannot be read here{detail}", "change who may read it"
    )
    UNWRITABLE = Meaning(
        "cannot be written", "it cannot be put in its place here{detail}", "change who may write"
    )
    FLUSH_FAILED = Meaning(
        "not flushed", "it could not be flushed to the disk here{detail}", "look at the disk"
    )
    ROTTEN = Meaning(
        "rotten",
        "its bytes changed here without a change of time, and are given to nobody{detail}",
        "look at the disk and the memory; put it back, or `touch` it to keep it as it is",
    )
    FOREIGN_LEFTING = Meaning(
        "foreign lefting",
        "something that ends in .lefting and is not ours has its place{detail}",
        "remove it",
    )
    ACCESS_LOST = Meaning(
        "access lost",
        "it was replaced here, and who may read and write it could not all be kept{detail}",
        "set it by hand",
    )
    MODE_NOT_SET = Meaning(
        "mode not set",
        "its mode or time cannot be set here, as it belongs to another user{detail}",
        "set it by hand, or change its owner",
    )
    NOT_EMPTY = Meaning(
        "not empty",
        "the folder is deleted, and stays here with something that is not synced",
        "remove what is in it",
    )
    MOUNT_GONE = Meaning(
        "mount gone",
        "what was mounted at {folder} is not, or something else is",
        "mount it; `leftzmq-agent --adopt` if it is to stay so",
    )

    @property
    def word(self) -> str:
        """The word that `--json` and docs/why.md have."""
        return self.value.word


class Because(Struct, frozen=True):
    """One reason, with what is known of it. since: unix seconds. have, rate: bytes, and bytes a
    second."""

    why: WhyNot
    text: str
    cure: str
    peer: str = ""
    since: float | None = None
    have: int | None = None
    rate: int | None = None


def because(
    why: WhyNot,
    *,
    path: str = "",
    peer: str = "",
    since: float | None = None,
    have: int | None = None,
    rate: int | None = None,
    **said: str,
) -> Because:
    """Return a finding whose sentences hold these names and figures. have: in bytes; said: what
    else the sentences name."""
    names = {"path": path, "peer": peer, **said}
    meaning = why.value
    text, cure = meaning.sentence.format_map(names), meaning.cure.format_map(names)
    return Because(why, text, cure, peer, since, have, rate)
