"""Everything that can go wrong and that a user reads about.

Three different things have three different types here:

* a `Problem` concerns one path: it is shown, and everything else goes on;
* a `LeftError` stops the part that it names: it contains what is wrong, where, and what to do;
* `Refused` says why bytes from outside were refused: its reason is a member of `Refusal`.

Conflicts are none of these: they are data (both versions are kept) and belong to `tree`.

Knows sentences. Must not know what caused any of them: it imports nothing of this package.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Return a number with its noun: "1 file", "2,000 files". nouns: if it is not `noun` with an
    s."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


class LeftError(Exception):
    """A part cannot go on. `str()` of it is the line that the user reads.

    what:  what is wrong, as a clause ("the key file can be read by others")
    where: the file, key or address that it concerns, or ""
    do:    what the user can do about it, or ""
    """

    exit_code = 1

    def __init__(self, what: str, where: str = "", do: str = "") -> None:
        self.what, self.where, self.do = what, where, do
        text = f"{where}: {what}" if where else what
        super().__init__(f"{text} ({do})" if do else text)


class ConfigError(LeftError):
    """peer.toml, or a file that it names, cannot be used as it is."""

    exit_code = 2


class UsageError(LeftError):
    """The command line cannot be used as it is."""

    exit_code = 2


class KeyFileError(ConfigError):
    """A key or secret file is malformed or readable by others."""


class InvitationError(LeftError):
    """An invitation code cannot be read, or cannot be made."""


class RosterError(LeftError):
    """A member cannot be let in or removed, or something else cannot be said in a roster."""


class StateLocked(LeftError):
    """Another agent runs on the same state directory."""


class PortTaken(LeftError):
    """A socket could not be bound."""


class GateError(LeftError):
    """The self-test of the gate failed: a stranger would have been let in."""


class PlatformError(LeftError):
    """This machine lacks something that leftzmq cannot do without."""


class StopCause(Enum):
    """Why a folder is stopped. The value is the word in `status --json`."""

    SHARE_AWAY = "share away"  # missing, unmounted or replaced; no marker, or not ours
    SHARE_UNUSABLE = "share unusable"  # it may not be read or written
    HELD_UP = "held up"  # no descriptors or memory, an i/o error: the share itself may be fine
    INDEX = "index"  # it cannot be read or written for now
    INDEX_BROKEN = "index broken"  # until a user does something about it
    OPENING = "opening"  # it was added a moment ago
    REMOVED = "removed"  # its user took it off this device
    PUT_OUT = "put out"  # another member removed this device from it
    PAUSED = "paused"  # its user paused it: what happens in it is recorded, and told to nobody

    @property
    def can_pass(self) -> bool:
        """Whether the folder is checked again while the agent runs."""
        return self not in (StopCause.INDEX_BROKEN, StopCause.REMOVED, StopCause.PUT_OUT)


class Stop(Struct, frozen=True):
    """A folder that does nothing any more; the others go on. why: the sentence that the user
    reads."""

    cause: StopCause
    why: str


class ShareError(LeftError):
    """A share is missing, replaced or unusable; its folder stops, the others go on (I11).

    cause: the kind of the error.
    """

    def __init__(
        self,
        what: str,
        where: str = "",
        do: str = "",
        cause: StopCause = StopCause.SHARE_AWAY,
    ) -> None:
        super().__init__(what, where, do)
        self.cause = cause

    @property
    def stop(self) -> Stop:
        return Stop(self.cause, str(self))


class IndexFault(Enum):
    """Why SQLite failed. The value is the sentence."""

    FULL = "no room for the index: the disk of the state directory is full"
    IO = "the index cannot be read or written"
    LOCKED = "another program keeps the index locked"
    CORRUPT = "the index is damaged"

    @property
    def answer(self) -> str:
        """What is done about it, or what the user can do."""
        return _ANSWERS[self]


_ANSWERS = {
    IndexFault.FULL: "make room; its folder waits, and goes on by itself",
    IndexFault.IO: "look at the disk; its folder waits, and is tried again by itself",
    IndexFault.LOCKED: "end that program; its folder waits, and goes on by itself",
    IndexFault.CORRUPT: "it is set aside, and built again from the share and from the peers",
}


class IndexFailed(LeftError):
    """An index could not be used; its folder waits, or gets a new index. said: the system's own
    words."""

    def __init__(self, fault: IndexFault, said: str, file: str) -> None:
        self.fault, self.file = fault, file
        super().__init__(f"{fault.value}: {said}", file, fault.answer)


_NOT_KEPT = {
    IndexFault.FULL: ("no room for rosters: the disk of the state directory is full", "make room"),
    IndexFault.IO: ("rosters cannot be written", "look at the disk"),
    IndexFault.LOCKED: ("another program keeps the rosters locked", "end that program"),
    IndexFault.CORRUPT: (
        "the rosters are damaged",
        "stop the agent, and put back a copy of the file",
    ),
}


class RosterNotKept(LeftError):
    """Who is in a folder could not be written down: nothing of it was. fault: of SQLite, as for an
    index. said: the system's own words."""

    def __init__(self, fault: IndexFault, said: str, file: str) -> None:
        what, do = _NOT_KEPT[fault]
        super().__init__(f"{what}: {said}", file, do)


class OurMistake(LeftError):
    """A bug of ours ends the agent. trace: where in our code, for those who look for it."""

    def __init__(self, what: str, trace: str = "", do: str = "report it") -> None:
        self.trace = trace
        super().__init__(what, "", do)


def flight_kept(file: str) -> str:
    """What a user does after a mistake of ours. file: what happened before it."""
    return f"report it, and attach {file}: there are paths of files in it, but nothing of a file"


def flight_lost(where: str, why: str) -> str:
    """What a user does after a mistake of ours where the disk took no file."""
    return f"report it; what happened before it could not be written to {where}: {why}"


NO_FOLDER = "there is no folder here yet"
BEGIN_ONE = "`leftzmq share DIR` begins one"


class AgentAway(LeftError):
    """No agent answers on the admin socket of this state directory."""


class DoorAway(LeftError):
    """No door of an invitation answered: `what` has each address that was tried, and why that
    failed."""


class OtherAnswer(LeftError):
    """The agent's answer lacks what this command needs: it runs another version."""

    def __init__(self) -> None:
        super().__init__(
            "the agent that runs is of another version than this command",
            "",
            "start the agent again, with the version that is installed",
        )


class NotStarted(LeftError):
    """An agent did not start. `do` holds the last lines of its log."""


class OutputError(LeftError):
    """Standard output cannot be written."""


class Declined(LeftError):
    """The agent understood the request, and cannot or must not carry it out."""


class Away(Enum):
    """Why a device is not connected, as far as it is known now. The value is the word in `status
    --json`."""

    NO_ADDRESS = "no address"  # our config has none, and it has not connected to us
    NOBODY_ANSWERS = "nobody answers"
    REFUSED_OUR_KEY = "refused our key"
    HUNG_UP = "hung up"  # during the handshake: most likely the device has another key
    NO_AGENT = "no agent"  # another protocol answers
    LOST = "connection lost"
    STOPPED = "stopped"  # it said goodbye
    OTHER_VERSION = "other version"
    REFUSES = "refuses"  # it said so
    SHUT_OUT = "shut out"  # by us, for what it sent
    PAUSED = "paused"  # by our user


class Refusal(Enum):
    """Why bytes, names or devices from outside were refused. The value is the sentence."""

    # frames and schemas (wire/codec)
    TOO_LONG = "the frame is longer than this socket allows"
    TOO_MANY_FRAMES = "the message has more frames than it should"
    NOT_MSGPACK = "the frame is not well-formed msgpack within our limits"
    WRONG_SHAPE = "the message does not have the shape that the protocol gives it"
    OUT_OF_RANGE = "a number in the message is outside its range"
    UNKNOWN_MESSAGE = "the message is of a kind that does not exist"
    WRONG_SOCKET = "the message does not belong on this socket"
    WRONG_BODY = "the parts named in the header do not add up to the body"
    # versions and devices (bus, sync/peers/greeting)
    OTHER_VERSION = "the device speaks another version of the protocol"
    NOTHING_SHARED = (
        "it is connected, but shares none of our folders: a folder is shared when both have the "
        "same secret file"
    )
    NOT_GREETED = "the device has not said hello over this connection"
    UNKNOWN_DEVICE = "the key is not in our list of peers"
    NOT_ITS_NAME = "the message names another device than the one that sent it"
    UNKNOWN_FOLDER = "the message is about a folder that we do not share with that device"
    BAD_ROUTE = "the connection chose its own routing id"
    TOO_GREEDY = "the device asked for more at once than it was told it may"
    TOO_FAST = "the device sends messages faster than any of ours would"
    TOO_OFTEN = "the device began its whole index anew before the last ones were through"
    TOO_MANY_CONNECTIONS = "more connections were opened than may wait for their first word"
    TOO_MANY_SUBSCRIPTIONS = "the device subscribed to our news again and again"
    ENDLESS = "the device sends a message that does not end"
    OTHER_PORTS = "the device named other ports again before the last ones were through"
    UNASKED = "the device answered a question that we did not ask"
    # sealed things (content, wire/page)
    DOES_NOT_OPEN = "the box does not open with the folder's key"
    WRONG_ID = "what was in the box is not what its id says"
    BAD_LIST = "the list of chunks is malformed or does not add up to the file's size"
    BAD_PADDING = "what was in the box is not filled up to its step with zeros"
    # entries (wire/check)
    BAD_ENTRY = "the entry contradicts itself"
    BAD_VECTOR = "the version vector is malformed"
    BAD_LINK = "the link target is empty, too long or not valid UTF-8"
    BAD_PAGE = "the sequence numbers of the page contradict each other"
    # statements of a roster (sync/peers/roster)
    NOT_SIGNED = "the signature is not of the device whose word the statement is"
    NOT_ITS_RIGHT = "the device may not say this of another one, or not of itself"
    ROSTER_FULL = "the roster of the folder has as many statements as it may have"
    # paths (tree/path)
    PATH_EMPTY = "the path is empty"
    PATH_ABSOLUTE = "the path is absolute"
    PATH_UNCLEAN = "the path has an empty, '.' or '..' component, or ends in '/'"
    PATH_NUL = "the path has a NUL in it"
    PATH_NOT_UTF8 = "the name is not valid UTF-8"
    PATH_TOO_LONG = "a name is over 255 bytes, or the path is over 4096 bytes or 128 levels"
    PATH_RESERVED = "the name is reserved: .left in the share's root, and names ending in .lefting"


class RuleFault(Enum):
    """Why a line of ignore rules has no effect, or a whole file of them cannot be read. The value
    is the sentence: what is wrong, and what to do."""

    # one line
    NAMES_NOTHING = "the rule names nothing (write a name before or behind the sign)"
    EMPTY_NAME = "two slashes follow each other, so the rule matches nothing (write one)"
    DOT_NAME = (
        "no name is '.' or '..', so the rule matches nothing (a path begins at the folder of its "
        "rule file: '/build', not './build')"
    )
    ENDS_IN_BACKSLASH = (
        "a backslash at the end escapes nothing, so the rule matches nothing (write two for one)"
    )
    OPEN_BRACKET = (
        "the bracket is never closed, so the rule matches nothing (write '\\[' for a '[')"
    )
    EMPTY_BRACKET = "no character is in the bracket, so the rule matches nothing"
    UNKNOWN_CLASS = (
        "the bracket names a class that does not exist (there are [:alpha:], [:digit:]...)"
    )
    UNKNOWN_DIRECTIVE = "the line '#left:' names nothing that exists (there is '#left: gitignore')"
    DIRECTIVE_ELSEWHERE = "the line '#left:' has no effect here (write it into a .leftignore)"
    NAMES_RULE_FILE = (
        "a file of ignore rules is never ignored, as other devices need it (remove the line)"
    )
    NAMES_CONFLICT_COPY = (
        "a conflict copy is judged by the name of the file that it is a copy of, so the rule does "
        "not hold for it (name that file)"
    )
    NOT_ONE_LINE = "the rule is not one line of text (write one rule for each line)"
    # the whole file
    TOO_LARGE = "the file has over 256 KiB (make it shorter)"
    TOO_MANY_RULES = "the file has over 10,000 rules (make it shorter)"
    TOO_MANY_WILDCARDS = (
        "the rules with wildcards in the file have over 32 KiB, '*.ext' aside (make it shorter)"
    )
    TOO_MANY_FILES = "over 64 rule files hold in this folder (remove the conflict copies of them)"
    NOT_UTF8 = "the file is not UTF-8 (save it as UTF-8)"
    NOT_A_FILE = "it is no file, so it has no rules (put a file there, or remove it)"
    UNREADABLE = "the file cannot be read (change who may read it)"
    NOT_TEXT = "the file has a NUL byte, so it is no text in UTF-8 (save it as UTF-8)"


class NotAdmittedReason(Enum):
    """Why a door does not let somebody in. The name travels; the value is the sentence."""

    UNKNOWN = "no invitation here has this code"
    EXPIRED = "the invitation is over: its time has run out"
    USED_UP = "the invitation was used already"
    CANCELLED = "the invitation was cancelled"
    REMOVED = "this device was removed from the folder after the invitation was made"
    ASKING = "a person is being asked there: come again in 2 s"
    DECLINED = "a person there said no"
    FOLDER_FULL = "the folder has as many members as it can have"
    ALREADY_A_MEMBER = "this device is a member of the folder already"
    OTHER_VERSION = "the other device speaks another version of the protocol"


def versions_differ(theirs: int, ours: int) -> str:
    """Return what the device that speaks `ours` says of another one, which speaks `theirs`."""
    return f"it speaks {theirs}, this device speaks {ours}"


class Refused(Exception):
    """Something from outside was refused; `detail` names the thing, never a secret."""

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        self.refusal, self.detail = refusal, detail
        super().__init__(f"{refusal.value}: {detail}" if detail else refusal.value)


class ProblemKind(Enum):
    """What is wrong with one path. The value is the sentence that `status` shows."""

    BAD_NAME = "the name cannot be synced"
    SPECIAL = "not a file, folder or link: not synced"
    UNREADABLE = "cannot be read"
    UNWRITABLE = "cannot be written"
    BEING_WRITTEN = (
        "is being written: the others get it as it is from time to time, and when it is closed or "
        "stands still"
    )
    FOREIGN_LEFTING = "ends in .lefting but is not ours: not synced and not touched"
    DISK_FULL = "the disk is full: the ticket waits for room"
    LOW_SPACE = "too little of the disk would stay free: the ticket waits for room"
    FLUSH_FAILED = "could not be flushed to the disk"
    ROTTEN = (
        "the bytes changed without a change of time (the disk or the memory may be failing): they "
        "are given to nobody"
    )
    ACCESS_LOST = (
        "was replaced, and who may read and write it could not all be kept: nobody may who could "
        "not before; set it by hand"
    )
    MODE_NOT_SET = (
        "its mode or time cannot be set, as it belongs to another user here: set it by hand, or "
        "change its owner"
    )
    TOO_LARGE = "has more chunks than a list can hold: not synced"
    MANY_LOSSES = (
        "more than half of the files would be lost, or many are encrypted: held back until "
        "`leftzmq accept` or `leftzmq revert`"
    )
    NOT_EMPTY = "the folder still holds something that is not synced"
    WAITING_FOR_FOLDER = "waits for its folder"
    NOT_GIVEN = "no device that has it gives it: it is asked for again now and then"
    WATCH_LIMIT = "cannot be watched, and is looked at every 30 s instead"
    WATCH_LOST = "events were lost: walking the folder again"
    INDEX_TOO_LARGE = "is larger than we may keep: the rest of it waits"
    INDEX_NO_ROOM = (
        "too little of the disk of the state directory would stay free: it waits for room"
    )
    IGNORED_IN_THE_WAY = (
        "what is ignored here has this name: it stays, and what others have is not taken until it "
        "is renamed or removed"
    )
    RULES_FAULTY = "has ignore rules that do not hold"
    MUCH_IGNORED = (
        "a change of ignore rules took more than half of the files out of sync: they stay where "
        "they are, and are neither sent nor received; `leftzmq accept` if that is meant"
    )
    READS_ONLY = "this device may only read it: what is changed here reaches nobody"
    CHANGED_BY_READER = (
        "was changed here, and this device may only read the folder: the change reaches nobody"
    )
    INDEX_WAITS = "waits until there is a place for it in our own, and is asked for again then"
    TWO_OF_KEY = (
        "comes from two agents that have the same key, as those of a cloned machine have: stop one "
        "of them, and put what `leftzmq id --new` prints there into the configs of the others"
    )
    FAR_FUTURE = "another device has a version of it from the end of all times: it is not taken"
    NAME_FOLDS = (
        "this disk cannot tell its name from another one that is here: it is not taken until one "
        "of the two is renamed or deleted"
    )
    MOUNT_GONE = (
        "what was mounted there is not, or something else is: nothing below it counts as changed "
        "(`leftzmq-agent --adopt` if it is to stay so)"
    )


class Problem(Struct, frozen=True):
    """One path of one folder (""; all of it), or one device's index of it, that needs attention;
    everything else goes on.

    detail: what only this occurrence knows (an errno's text, a refusal's sentence)
    device: the device's name, if it concerns what that device announces; then path is ""
    """

    folder: str
    path: str
    kind: ProblemKind
    detail: str = ""
    device: str = ""

    @property
    def subject(self) -> str:
        """What it concerns, in words. "." is the path of the share's root."""
        if self.device:
            return f"the index of {self.device}"
        if not self.path:
            return f"the folder {self.folder}"
        return "the whole share" if self.path == "." else self.path

    def __str__(self) -> str:
        text = f"{self.subject}: {self.kind.value}"
        return f"{text} ({self.detail})" if self.detail else text


class Shortage(Problem, frozen=True):
    """LOW_SPACE. need_bytes: what is still to come for the path. fits_bytes: what may come now.
    free: how much is free, in words."""

    need_bytes: int = 0
    fits_bytes: int = 0
    free: str = ""
