"""Names that programs leave beside a user's files and that mean nothing on another device.

Knows a list. Must not know whether a user wants it.

A name is in it only if its program makes it again, or it says something about one machine alone.
So these are not in it: `*~` and `*.bak` (copies that a user asked for), `._*` and `.AppleDouble/`
(macOS and netatalk keep the second half of a file there), `*.part` and `*.tmp` (also users' names),
`4913` (vim tries it for milliseconds).
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Litter(Struct, frozen=True):
    """rule: a line as in a file of ignore rules. source: the program that makes such names, and
    what for."""

    rule: str
    source: str


LITTER: Final = (
    # editors: unsaved text and locks of one machine
    Litter(".*.sw[a-p]", "vim, neovim and nano: swap file of an open file"),
    Litter(".sw[a-p]", "vim and neovim: swap file of text without a name"),
    Litter(".#*", "Emacs and joe: lock of an open file"),
    Litter(r"\#*#", "Emacs: unsaved text of an open file"),
    Litter(".*.kate-swp", "Kate and KWrite: swap file of an open file"),
    Litter("*___jb_tmp___", "JetBrains IDEs: a file that is being written"),
    Litter("*___jb_old___", "JetBrains IDEs: a file that is being replaced"),
    Litter(".goutputstream-*", "GLib (gedit, GNOME): a file that is being written"),
    # offices: who has a document open
    Litter(".~lock.*#", "LibreOffice and OpenOffice: lock of an open document"),
    Litter("~$*", "Microsoft Office: lock of an open document"),
    Litter("~WR[A-Z][0-9]*.tmp", "Microsoft Word: parts of a document that is being written"),
    Litter("*.laccdb", "Microsoft Access: lock of an open database"),
    Litter("*.dwl", "AutoCAD: lock of an open drawing"),
    Litter("*.dwl2", "AutoCAD: lock of an open drawing"),
    Litter("*.idlk", "Adobe InDesign: lock of an open document"),
    # desktops: views, thumbnails and indexes of one machine
    Litter(".DS_Store", "macOS Finder: how a folder is shown"),
    Litter("Icon[\r]", "macOS Finder: the picture of a folder"),
    Litter(".apdisk", "macOS: a shared disk's name"),
    Litter(".fseventsd/", "macOS: log of changes on a disk"),
    Litter(".Spotlight-V100/", "macOS Spotlight: its index"),
    Litter(".DocumentRevisions-V100/", "macOS: versions of documents on a disk"),
    Litter(".TemporaryItems/", "macOS: files of running programs"),
    Litter("*.sb-????????-??????", "macOS programs in a sandbox: a file that is being written"),
    Litter("[Tt]humbs.db", "Windows Explorer: thumbnails"),
    Litter("ehthumbs.db", "Windows Media Center: thumbnails"),
    Litter("ehthumbs_vista.db", "Windows Media Center: thumbnails"),
    Litter("[Dd]esktop.ini", "Windows Explorer: how a folder is shown"),
    Litter("@eaDir/", "Synology DSM: thumbnails and attributes"),
    Litter(".@__thumb/", "QNAP QTS: thumbnails"),
    # disks: trash cans of one disk, files that are open while deleted
    Litter("$RECYCLE.BIN/", "Windows: trash of a disk"),
    Litter("System Volume Information/", "Windows: restore points of a disk"),
    Litter(".Trashes/", "macOS: trash of a disk"),
    Litter(".Trash-[0-9]*/", "Linux desktops: trash of a disk (freedesktop.org)"),
    Litter(".nfs[0-9a-f]*", "NFS clients: a deleted file that is still open"),
    Litter(".fuse_hidden*", "FUSE: a deleted file that is still open"),
)
