"""A user's calls on a simulated disk, by path. Links on the way are not followed.

Knows a disk. Must not know an agent. The user sees the file that a path leads to now; a call that
is not possible now does nothing and returns False.
"""

from __future__ import annotations

from collections.abc import Iterator

from leftzmq.tree.entry import Kind

from .disk import Disk, Inode, Name

LEFT = ".left"


class Hands:
    """careful: the user's changes are durable at once, as if he called sync after each."""

    def __init__(self, disk: Disk, *, careful: bool = True) -> None:
        self.disk, self.careful = disk, careful

    # ---- looking --------------------------------------------------------------------------

    def at(self, path: str) -> Inode | None:
        inode = self.disk.top
        for name in path.split("/") if path else []:
            if inode is None or inode.kind is not Kind.DIRECTORY:
                return None
            raw = name.encode(errors="surrogateescape")
            inode = inode.children.get(self.disk.called(inode, raw))
        return inode

    def exactly_at(self, path: str) -> Inode | None:
        """Returns the inode whose listed names are exactly these."""
        return self.at(path) if self.listed(path) == path else None

    def listed(self, path: str) -> str:
        """Returns the path as it is listed: a name that the disk spells otherwise is replaced by
        the disk's spelling."""
        names: list[bytes] = []
        inode = self.disk.top
        for name in path.split("/") if path else []:
            raw = name.encode(errors="surrogateescape")
            if inode is not None:
                raw = self.disk.called(inode, raw)
                inode = inode.children.get(raw)
            names.append(raw)
        return b"/".join(names).decode(errors="surrogateescape")

    def tree(self) -> Iterator[tuple[str, Inode]]:
        """Yields everything in the share except `.left`."""
        for path, inode in self.disk.everything():
            if path.split("/", 1)[0] != LEFT:
                yield path, inode

    def below(self, path: str) -> Iterator[tuple[str, Inode]]:
        """Yields the inode at `path` and everything below it."""
        for found, inode in self.tree():
            if found == path or found.startswith(path + "/"):
                yield found, inode

    # ---- changing -------------------------------------------------------------------------

    def write(self, path: str, data: bytes) -> bool:
        """Write into the existing file, or into a new one."""
        inode = self.at(path)
        if inode is not None and inode.kind is not Kind.FILE:
            return False
        if inode is None:
            inode = self._new(path, Kind.FILE, b"")
            if inode is None:
                return False
        through = self._name(path)
        self.disk.truncate(inode, 0, through)
        self.disk.write(inode, 0, data, through)
        return self._written(inode, through)

    def replace(self, path: str, data: bytes) -> bool:
        """As most editors do: a new file renamed over the old one."""
        old = self.at(path)
        if old is None or old.kind is not Kind.FILE:
            return False
        folder, name = self._place(path)
        assert folder is not None
        name = self.disk.called(folder, name)
        beside = b".new-" + name[:200]
        if self.disk.called(folder, beside) in folder.children:
            return False  # a power cut took the rename back: an editor does not write over that
        inode = self.disk.make(Kind.FILE, old.mode, data)
        self.disk.change((folder, beside, inode))
        self.disk.change((folder, beside, None), (folder, name, inode))
        return self._written(inode)

    def append(self, path: str, data: bytes) -> bool:
        inode = self.at(path)
        if inode is None or inode.kind is not Kind.FILE:
            return False
        through = self._name(path)
        self.disk.write(inode, len(inode.data), data, through)
        return self._written(inode, through)

    def write_open(self, path: str, data: bytes, *, at_end: bool) -> bool:
        """Write through a descriptor that stays open: at the end of the file, or over all of it."""
        inode = self.at(path)
        if inode is None or inode.kind is not Kind.FILE:
            return False
        through = self._name(path)
        if not at_end:
            self.disk.truncate(inode, 0, through)
        self.disk.write(inode, len(inode.data), data, through)
        inode.users = True
        return self._flushed(inode)

    def begin_write(self, path: str) -> None:
        """A write begins: it sets the file's times, and has copied nothing yet."""
        inode = self.at(path)
        assert inode is not None, "somebody has it open"
        self.disk.stamp(inode)

    def end_write(self, path: str, data: bytes) -> None:
        """The write that began is over, and its writer closes the file."""
        inode = self.at(path)
        assert inode is not None, "somebody has it open"
        through = self._name(path)
        self.disk.copy_in(inode, data, through)
        self._written(inode, through)

    def close(self, path: str) -> None:
        """The writer closes the file: its bytes are complete."""
        inode = self.at(path)
        if inode is not None and inode.kind is Kind.FILE:
            self.disk.closed(inode, self._name(path))

    def make_folder(self, path: str) -> bool:
        return self._new(path, Kind.DIRECTORY, b"") is not None and self._done()

    def make_folders(self, path: str) -> bool:
        """Make this folder and the missing folders above it."""
        names = path.split("/") if path else []
        for count in range(1, len(names) + 1):
            there = self.at("/".join(names[:count]))
            if there is None:
                self.make_folder("/".join(names[:count]))
            elif there.kind is not Kind.DIRECTORY:
                return False
        return True

    def make_link(self, path: str, target: bytes) -> bool:
        inode = self._new(path, Kind.SYMLINK, target)
        if inode is not None:
            inode.users = True
        return inode is not None and self._done()

    def hard_link(self, path: str, to: str) -> bool:
        inode, (folder, name) = self.at(path), self._place(to)
        if inode is None or inode.kind is not Kind.FILE or folder is None:
            return False
        if folder.device != inode.device or self.at(to) is not None:
            return False
        self.disk.change((folder, name, inode))
        return self._done()

    def delete(self, path: str) -> bool:
        """rm -r."""
        inode = self.at(path)
        if inode is None or inode is self.disk.top:
            return False
        if inode.kind is Kind.DIRECTORY:
            for name in sorted(inode.children):
                self.delete(f"{path}/{name.decode(errors='surrogateescape')}")
        folder, raw = inode.where[0] if len(inode.where) == 1 else self._place(path)
        assert folder is not None
        self.disk.change((folder, self.disk.called(folder, raw), None))
        return self._done()

    def rename(self, path: str, to: str) -> bool:
        """rename(2): a file, a link or an empty folder at `to` is replaced. Where the disk takes
        both for one name, the file is spelled as `to` from now on."""
        inode, over = self.at(path), self.at(to)
        (source, name), (folder, new) = self._place(path), self._place(to)
        if inode is None or source is None or folder is None:
            return False
        name = self.disk.called(source, name)
        if over is inode:
            if source is not folder or new in folder.children:
                return False
            self.disk.change((folder, name, None), (folder, new, inode))
            return self._done()
        new = self.disk.called(folder, new)
        if folder.device != source.device:
            return False  # mv would copy it
        if inode is self.disk.top or (to + "/").startswith(path + "/"):
            return False
        if over is not None:
            if (over.kind is Kind.DIRECTORY) != (inode.kind is Kind.DIRECTORY):
                return False
            if over.children:
                return False
        self.disk.change((source, name, None), (folder, new, inode))
        return self._done()

    def set_mtime(self, path: str, mtime_ns: int) -> bool:
        inode = self.at(path)
        if inode is None or inode.kind is not Kind.FILE:
            return False
        self.disk.attributes(inode, mtime_ns=mtime_ns, through=self._name(path))
        return self._flushed(inode)

    def set_mode(self, path: str, mode: int) -> bool:
        inode = self.at(path)
        if inode is None or inode.kind is Kind.SYMLINK:
            return False
        self.disk.attributes(inode, mode=mode, through=self._name(path))
        return self._flushed(inode)

    # ---- durable ------------------------------------------------------------------------

    def _place(self, path: str) -> tuple[Inode | None, bytes]:
        above, _, name = path.rpartition("/")
        folder = self.at(above)
        if folder is not None and folder.kind is not Kind.DIRECTORY:
            folder = None
        return folder, name.encode(errors="surrogateescape")

    def _new(self, path: str, kind: Kind, data: bytes) -> Inode | None:
        folder, name = self._place(path)
        if folder is None or not name or self.at(path) is not None:
            return None
        mode = {Kind.FILE: 0o644, Kind.DIRECTORY: 0o755, Kind.SYMLINK: 0o777}[kind]
        inode = self.disk.make(kind, mode, data)
        self.disk.change((folder, name, inode))
        return inode

    def _name(self, path: str) -> Name | None:
        folder, name = self._place(path)
        return None if folder is None else (folder, name)

    def _written(self, inode: Inode, through: Name | None = None) -> bool:
        inode.users = True
        self.disk.closed(inode, through)
        return self._flushed(inode)

    def _flushed(self, inode: Inode) -> bool:
        if self.careful:
            self.disk.flush_file(inode)
        return self._done()

    def _done(self) -> bool:
        if self.careful and self.disk.pending:
            for folder in self.disk.pending[-1].folders:
                self._flush_up(folder)
        return True

    def _flush_up(self, folder: Inode) -> None:
        """Flush the folders up to a durable name: a sync of a folder without one would have no
        effect."""
        while True:
            self.disk.flush_folder(folder)
            if not folder.where:
                return
            folder = folder.where[0][0]
