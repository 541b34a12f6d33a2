"""Records everything that users ever wrote, and what users did with it later.

Every value is unique, so any value found anywhere identifies its writer. A value ends when a user
removes its last name on a device where he saw it; from then on no device must keep it.

Knows values. Must not know agents: the laws judge what agents do with a value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from leftzmq.tree.entry import Kind
from leftzmq.tree.rules import LEFTING_SUFFIX

from .disk import Inode
from .hands import Hands

Content = tuple[Kind, bytes]


@dataclass(slots=True)
class Value:
    """Bytes of a file, or a link's target.

    ended:    how a user ended it, or which disaster took its last copy; "": it must be somewhere
    replaced: a user overwrote or deleted it somewhere: it may be in a trash, need not be in a tree
    """

    content: Content
    device: str
    path: str
    when: float
    ended: str = ""
    replaced: str = ""


@dataclass(slots=True)
class Delete:
    """A user saw this content at this path, and deleted or moved it. excused: why it may come
    back."""

    path: str
    content: Content
    device: str
    when: float
    excused: str = ""


FOLDER: Final[Content] = (Kind.DIRECTORY, b"")


@dataclass(slots=True)
class Ledger:
    values: dict[Content, Value] = field(default_factory=dict)
    deletes: list[Delete] = field(default_factory=list)
    bare_deletes: list[Delete] = field(default_factory=list)  # of folders and empty files
    hands_on: dict[tuple[str, Content], list[tuple[float, str]]] = field(default_factory=dict)
    made: list[tuple[float, str, str]] = field(default_factory=list)  # when, device, path
    folders: list[tuple[float, str, str]] = field(default_factory=list)  # deleted ones
    made_folders: dict[str, set[str]] = field(default_factory=dict)  # by which devices' users
    let_go: list[tuple[float, str, str]] = field(default_factory=list)  # when, device, path
    gone_folders: set[str] = field(default_factory=set)  # a user deleted or moved one from there
    turned: dict[Content, Content] = field(default_factory=dict)  # with a turned bit -> before
    going_folders: set[str] = field(default_factory=set)  # to there, while a job removed them
    at_copies: set[tuple[str, str]] = field(default_factory=set)
    """Folders that a user put at the name of a conflict copy while a job moved the old version
    there, and where they are if the job took them for that version."""
    made_elsewhere: set[tuple[str, str]] = field(default_factory=set)
    """Folders that a job was to make while a user renamed a folder above them, and where each is
    then: the job has the folder above open, wherever that is by the time of its next call."""
    renamed: list[tuple[str, str]] = field(default_factory=list)  # folders, by users
    renames: set[tuple[str, str]] = field(default_factory=set)  # of any path, by users
    restored: bool = False
    gives_way: bool = False  # some device has so small a disk that its trash is emptied for space
    moved: dict[Content, set[str]] = field(default_factory=dict)
    taken_names: set[str] = field(default_factory=set)  # of conflict copies, by users
    forgotten: set[tuple[str, str, Content]] = field(default_factory=set)  # device, path
    forgotten_graves: set[tuple[str, str]] = field(default_factory=set)
    """Device, path: a delete that its index knew, perhaps, and knows no more. What is made there
    next is above nothing."""
    stray_leftings: set[str] = field(default_factory=set)
    linked: list[tuple[float, str, str]] = field(default_factory=list)
    """When, on which device and under which names a file with more than one was changed."""
    tombs: set[tuple[str, str]] = field(default_factory=set)  # device, path; of no value
    refused: set[str] = field(default_factory=set)  # devices that were once denied a call
    adrift: set[Content] = field(default_factory=set)  # old versions in folders that users moved
    receivers: set[str] = field(default_factory=set)  # devices that tell nobody what users do there
    put_away: dict[Content, str] = field(default_factory=dict)
    """What users of receivers took away there alone, and how: others have it still."""
    is_elsewhere: Callable[[str, Content], bool] = lambda device, content: False
    """Whether another device than this one has the content in its tree."""

    def wrote(self, content: Content, device: str, path: str, now: float) -> None:
        """A user, or a power cut that tore a file, made these bytes at this path."""
        self.made_at(path, device, now)
        if content not in self.values:
            self.values[content] = Value(content, device, path, now)
        else:
            value = self.values[content]
            value.ended = ""
            self.put_hands_on(path, content, device, now)

    def made_at(self, path: str, device: str, now: float) -> None:
        """A user made or wrote something there: the folders above it have to be there, too."""
        self.made.append((now, device, path))

    def made_folder(self, path: str, device: str) -> None:
        self.made_folders.setdefault(path, set()).add(device)

    def put_hands_on(self, path: str, content: Content, device: str, now: float) -> None:
        """The value was touched, moved there, or restored after it was first written."""
        self.made_at(path, device, now)
        self.hands_on.setdefault((path, content), []).append((now, device))

    def removed(
        self, path: str, content: Content, device: str, now: float, how: str, hands: Hands
    ) -> None:
        """A user removed this value from this path (and saw it there)."""
        # A device does not know that it had this value, so its delete has not seen the value: it
        # may have a copy elsewhere that is a concurrent edit to everybody.
        knew_not = (device, path, content) in self.forgotten
        excused = "its device had forgotten that it had it" if knew_not else ""
        is_kept = device in self.receivers and self.is_elsewhere(device, content)
        self.deletes.append(Delete(path, content, device, now, excused or self.excuse(device)))
        if how == "moved":
            self.moved.setdefault(content, set()).add(device)
        elif is_kept:
            self.put_away[content] = how
        else:
            self.ends(content, how, hands)

    def excuse(self, device: str) -> str:
        """Why what a user takes away on this device now may come back."""
        return "its device tells nobody" if device in self.receivers else ""

    def tells(self, device: str) -> None:
        """It tells from now on what was changed there, and that may replace what others have."""
        self.receivers.discard(device)
        for content, how in self.put_away.items():
            value = self.values.get(content)
            if value is not None:
                value.replaced = value.replaced or how
        self.put_away.clear()

    def ends(self, content: Content, how: str, hands: Hands) -> None:
        """A user removed one of its names on this device; it may have another name there."""
        ended: set[Content] = set()
        each: Content | None = content
        while each is not None and each not in ended:  # a bit may turn, and turn back
            ended.add(each)
            value = self.values.get(each)
            if value is not None:
                value.replaced = how
                if not is_in_tree(hands, each):
                    value.ended = how
            each = self.turned.get(each)  # its user knew it as this

    def is_known(self, content: Content) -> bool:
        return content in self.values or content == (Kind.FILE, b"")


def content_of(inode: Inode) -> Content | None:
    return None if inode.kind is Kind.DIRECTORY else (inode.kind, bytes(inode.data))


def is_in_tree(hands: Hands, content: Content) -> bool:
    """Whether it has a name here. The name of a `.lefting` counts only for bytes that a user wrote:
    an exchange put the old version there, and the agent must give it a name. A file that is being
    fetched has no name."""
    return any(
        content_of(inode) == content and (inode.users or not path.endswith(LEFTING_SUFFIX))
        for path, inode in hands.tree()
    )
