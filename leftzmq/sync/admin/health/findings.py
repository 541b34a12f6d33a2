"""What `doctor` can find: each finding with its check, its state, its sentence and its cure.

docs/doctor.md has the same table for people, with the test of each. Knows sentences. Must not know
how anything is found out.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from leftzmq.wire.answers.health import FindingShown


class Check(Enum):
    """What is looked at. The value is the word in `doctor --json`."""

    AGENT = "agent"
    REACHED = "reached"  # can this device dial the others?
    REACHES_US = "reaches us"  # can they dial this one?
    CLOCK = "clock"
    VERSION = "version"
    MTU = "mtu"
    WATCHES = "watches"
    DESCRIPTORS = "descriptors"
    PERMISSIONS = "permissions"
    ROOM = "room"
    SHARE = "share"
    NAMES = "names"
    TIMES = "times"
    REPLACING = "replacing"


class FindingState(Enum):
    """How bad a finding is. The value is the word in `doctor --json`."""

    GOOD = "good"
    NOTE = "note"  # worth to know; everything works
    BAD = "bad"  # somebody should do something about it


class FindingSentence(Struct, frozen=True):
    """text, cure: templates of str.format; `about` may stand in both."""

    check: Check
    state: FindingState
    text: str
    cure: str = ""


_PORT = "let the port of `listen` (peer.toml) through the firewall and the router of this device"
_DISK = "a file system such as ext4, XFS, Btrfs or APFS can do it"


class Finding(Enum):
    """All findings."""

    AGENT_RUNS = FindingSentence(
        Check.AGENT, FindingState.GOOD, "an agent of leftzmq {version} runs"
    )
    AGENT_AWAY = FindingSentence(
        Check.AGENT,
        FindingState.BAD,
        "no agent could be asked: {why}",
        "start it: leftzmq up; leftzmq check says what is wrong with its config",
    )

    REACHED = FindingSentence(Check.REACHED, FindingState.GOOD, "this device reached it")
    IT_DIALS_US = FindingSentence(
        Check.REACHED, FindingState.GOOD, "it reached this device, which need not dial it"
    )
    CANNOT_DIAL = FindingSentence(
        Check.REACHED,
        FindingState.NOTE,
        "it is connected only because it dials this device, which cannot dial it: {why}",
        "{cure}",
    )
    BEING_DIALED = FindingSentence(
        Check.REACHED,
        FindingState.NOTE,
        "it is being dialed, and nothing is known yet",
        "ask again in a minute",
    )
    AT_REST = FindingSentence(
        Check.REACHED, FindingState.NOTE, "it is not connected: {why}", "{cure}"
    )
    NOT_CONNECTED = FindingSentence(
        Check.REACHED, FindingState.BAD, "it is not connected: {why}", "{cure}"
    )
    NO_KEY = FindingSentence(
        Check.REACHED,
        FindingState.BAD,
        "its key is not known here, so it is never connected",
        "put what `leftzmq id` prints there into its [[peer]]",
    )
    NO_DEVICE = FindingSentence(
        Check.REACHED,
        FindingState.NOTE,
        "this device knows no other one",
        "leftzmq share DIR shows what to type there",
    )

    REACHES_US = FindingSentence(Check.REACHES_US, FindingState.GOOD, "it reached this device")
    WE_DIAL_IT = FindingSentence(
        Check.REACHES_US, FindingState.GOOD, "it has no address of this device, which reached it"
    )
    STILL_DIALS_US = FindingSentence(
        Check.REACHES_US,
        FindingState.NOTE,
        "it is connected only because this device dials it: it dials this one, and has not reached "
        "it so far",
        "ask again in a minute",
    )
    CANNOT_REACH_US = FindingSentence(
        Check.REACHES_US,
        FindingState.NOTE,
        "it is connected only because this device dials it: it cannot dial this one, and says "
        "({word}): {why}",
        f"correct the address that it has of this device, or {_PORT}",
    )
    REACHES_US_UNKNOWN = FindingSentence(
        Check.REACHES_US,
        FindingState.NOTE,
        "not known: it has not said how it dials this device",
        "ask again in a minute; if it stays so, update its leftzmq",
    )
    NOBODY_REACHES_US = FindingSentence(
        Check.REACHES_US,
        FindingState.NOTE,
        "none of the connected devices reached this one: it meets only those that it can dial",
        f"{_PORT}, and tell the others its address",
    )

    CLOCK_AGREES = FindingSentence(
        Check.CLOCK, FindingState.GOOD, "its clock agrees with this device's"
    )
    CLOCK_OFF = FindingSentence(
        Check.CLOCK,
        FindingState.NOTE,
        "its clock is {off} this device's: times in the names of conflict copies are off by that",
        "set the clocks by the network on both (timedatectl set-ntp true)",
    )
    CLOCK_WRONG = FindingSentence(
        Check.CLOCK,
        FindingState.BAD,
        "its clock is {off} this device's: names of conflict copies and how long something is "
        "kept or held are wrong by that",
        "set the clocks by the network on both (timedatectl set-ntp true)",
    )
    CLOCK_UNKNOWN = FindingSentence(
        Check.CLOCK,
        FindingState.NOTE,
        "not known: it has not said what time it is there",
        "ask again in a minute; if it stays so, update its leftzmq",
    )

    SAME_VERSION = FindingSentence(
        Check.VERSION, FindingState.GOOD, "it runs leftzmq {version}, as this device"
    )
    OTHER_VERSION = FindingSentence(
        Check.VERSION,
        FindingState.NOTE,
        "it runs leftzmq {theirs}, this device {ours}; they understand each other",
        "update the older one when it is convenient",
    )
    OTHER_PROTOCOL = FindingSentence(
        Check.VERSION,
        FindingState.BAD,
        "it speaks another version of the protocol: {why}",
        "update the older of the two: they sync nothing until then",
    )
    VERSION_UNKNOWN = FindingSentence(
        Check.VERSION,
        FindingState.NOTE,
        "not known: it has not said which leftzmq it runs",
        "ask again in a minute; if it stays so, update its leftzmq",
    )

    PATH_MTU = FindingSentence(
        Check.MTU, FindingState.GOOD, "packets of {bytes:,} bytes reach it whole"
    )
    MTU_SMALL = FindingSentence(
        Check.MTU,
        FindingState.NOTE,
        "only packets of {bytes:,} bytes reach it whole, fewer than the 1,280 that every path "
        "should take: large files are slow",
        "look at the MTU of the tunnel or VPN on the way",
    )
    MTU_UNKNOWN = FindingSentence(
        Check.MTU, FindingState.NOTE, "not known: the system does not say"
    )

    WATCHED = FindingSentence(
        Check.WATCHES,
        FindingState.GOOD,
        "{count:,} directories are watched of {most:,} that may be",
    )
    WATCHES_ALLOWED = FindingSentence(
        Check.WATCHES, FindingState.GOOD, "{most:,} directories may be watched"
    )
    FEW_WATCHES_LEFT = FindingSentence(
        Check.WATCHES,
        FindingState.NOTE,
        "{count:,} directories are watched of {most:,} that all programs of this user may watch "
        "together",
        "sudo sysctl fs.inotify.max_user_watches={more}, and the same in a file of /etc/sysctl.d",
    )
    NOT_WATCHED = FindingSentence(
        Check.WATCHES,
        FindingState.BAD,
        "not all of it is watched: changes there are found late, by walks",
        "see leftzmq problems; where the limit is the reason: sudo sysctl "
        "fs.inotify.max_user_watches={more}, and the same in a file of /etc/sysctl.d",
    )
    NO_INOTIFY = FindingSentence(
        Check.WATCHES,
        FindingState.NOTE,
        "this system has no inotify: a change is taken when the file stood still for a while",
    )

    DESCRIPTORS = FindingSentence(
        Check.DESCRIPTORS,
        FindingState.GOOD,
        "{needed:,} file descriptors are needed of {most:,}{open}",
    )
    FEW_DESCRIPTORS_LEFT = FindingSentence(
        Check.DESCRIPTORS,
        FindingState.NOTE,
        "{count:,} file descriptors are in use of {most:,}: connections are turned away soon",
        "raise the limit: LimitNOFILE={more} in the service, or ulimit -n {more}; then start the "
        "agent again",
    )
    TOO_FEW_DESCRIPTORS = FindingSentence(
        Check.DESCRIPTORS,
        FindingState.BAD,
        "{needed:,} file descriptors are needed for so many devices, and {most:,} are allowed",
        "raise the limit: LimitNOFILE={needed} in the service, or ulimit -n {needed}; then start "
        "the agent again",
    )

    PRIVATE = FindingSentence(
        Check.PERMISSIONS,
        FindingState.GOOD,
        "keys, secrets and the state directory are this user's alone",
    )
    STATE_IS_OPEN = FindingSentence(
        Check.PERMISSIONS,
        FindingState.BAD,
        "others may enter the state directory (mode {mode:04o})",
        "chmod 700 {path}",
    )
    FILE_IS_OPEN = FindingSentence(
        Check.PERMISSIONS,
        FindingState.BAD,
        "others may read or change it (mode {mode:04o})",
        "chmod 600 {path}; if somebody may have read it, make a new one",
    )
    STATE_AWAY = FindingSentence(
        Check.PERMISSIONS,
        FindingState.BAD,
        "the state directory cannot be looked at: {why}",
        "look who owns it, and name a state of this user in [device] (peer.toml)",
    )

    ROOM = FindingSentence(Check.ROOM, FindingState.GOOD, "{free} of {total} are free")
    LITTLE_ROOM = FindingSentence(
        Check.ROOM,
        FindingState.NOTE,
        "only {free} of {total} are free: what needs space is not received below "
        "`min_free_percent`",
        "make room, or move it to a larger disk",
    )
    ROOM_UNKNOWN = FindingSentence(
        Check.ROOM, FindingState.NOTE, "not known: its file system does not say"
    )

    SHARE_WORKS = FindingSentence(
        Check.SHARE, FindingState.GOOD, "its share can be read and written"
    )
    FOLDER_STOPPED = FindingSentence(
        Check.SHARE,
        FindingState.BAD,
        "the folder is stopped: {why}",
        "leftzmq status shows when it goes on",
    )
    FOLDER_UNUSABLE = FindingSentence(
        Check.SHARE, FindingState.BAD, "the folder cannot be used: {why}", "leftzmq check says more"
    )
    FOLDER_PAUSED = FindingSentence(
        Check.SHARE, FindingState.NOTE, "the folder is paused", "leftzmq resume --folder {about}"
    )
    FOLDER_HELD = FindingSentence(
        Check.SHARE,
        FindingState.NOTE,
        "the folder is held: its user has not answered the plan of its join",
        "type the same leftzmq join again, or leave with leftzmq folders remove {about}",
    )
    SHARE_FAILED = FindingSentence(
        Check.SHARE,
        FindingState.BAD,
        "its share cannot be written: {why}",
        "look at the disk, and at who owns the directory .left in it",
    )
    SHARE_SILENT = FindingSentence(
        Check.SHARE,
        FindingState.BAD,
        "its share did not answer within {seconds:g} s",
        "look at the disk or the network drive: it is stuck, or much is being read",
    )

    NAMES_DIFFER = FindingSentence(
        Check.NAMES,
        FindingState.GOOD,
        "its disk tells upper from lower case, and all forms of a letter",
    )
    ONE_CASE = FindingSentence(
        Check.NAMES,
        FindingState.NOTE,
        "its disk takes Foo and foo for one name: of two such files elsewhere it keeps one, and "
        "shows a problem",
        "rename one of the two where both are",
    )
    ONE_FORM = FindingSentence(
        Check.NAMES,
        FindingState.NOTE,
        "its disk takes two Unicode forms of a letter for one name: of two such files elsewhere it "
        "keeps one, and shows a problem",
        "rename one of the two where both are",
    )

    FINE_TIMES = FindingSentence(Check.TIMES, FindingState.GOOD, "its disk keeps times to {step}")
    COARSE_TIMES = FindingSentence(
        Check.TIMES,
        FindingState.NOTE,
        "its disk keeps times only to {step}: other devices have them finer",
        _DISK,
    )
    TIMES_UNKNOWN = FindingSentence(
        Check.TIMES,
        FindingState.NOTE,
        "its disk does not keep the time that a file is given",
        _DISK,
    )

    REPLACES = FindingSentence(
        Check.REPLACING, FindingState.GOOD, "its disk exchanges two names in one step"
    )
    LACKS_CALLS = FindingSentence(Check.REPLACING, FindingState.NOTE, "{why}", _DISK)

    @property
    def check(self) -> Check:
        return self.value.check

    @property
    def state(self) -> FindingState:
        return self.value.state

    def about(self, about: str, **parts: object) -> FindingShown:
        """Return the finding about a device, a folder or a path; "": the machine as a whole.
        parts: of its sentence and its cure."""
        return FindingShown(
            check=self.check.value,
            state=self.state.value,
            about=about,
            text=self.value.text.format(about=about, **parts),
            cure=self.value.cure.format(about=about, **parts),
        )
