"""The state directory: who may enter it, which files it has, and how a secret becomes a file.

Knows names, modes, the lock and the write order of small private files. Must not know what is in
them (keys, rows), nor sockets: the ipc endpoints are text here.

    <state>/            0700, ours
      lock              held with flock by the one agent; its process id inside
      device.key        made by transport
      HASH.sqlite       the index of one folder, made by index
      pairing.json      what invitations brought: devices, folders, open invitations
      pauses.json       which folders and devices are paused, and until when
      rosters.db        who is in the folders: signed statements, made by pairing
      HASH.secret       the secret of a folder that was shared or joined by a command
      ports.json        the bulk and news ports that were free last time
      flight-TIME.log   what happened before a mistake of ours, for a report; the last few
      agent.log         the log of an agent in the background (cli/service/background)
      up.lock           held by the one command that starts or stops the agent (cli/up)
      web.token         what a browser or a program shows to the page (leftzmq/web)
      web-open.html     leads a browser to the page, while `leftzmq web --open` runs
      way               a short link to this directory, if its usual names are taken
      events, admin     ipc sockets, bound by the holder of the lock only
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Final, Self

from msgspec import Struct

from leftzmq.errors import ConfigError, KeyFileError, StateLocked

SECRET_BYTES: Final = 32
MAX_PRIVATE_FILE_BYTES: Final = 4096  # a key or a secret is a line or two
MAX_IPC_PATH_BYTES: Final = 100  # sun_path holds 104 on macOS, 108 on Linux, with its NUL
WAY_FILE: Final = "way"
PAIRING_FILE: Final = "pairing.json"
PAUSES_FILE: Final = "pauses.json"
WEB_TOKEN_FILE: Final = "web.token"
KEPT_FLIGHTS: Final = 3
_FLIGHT_NAME: Final = "flight-{:%Y%m%d-%H%M%S}.log"  # UTC, so names are in the order of time
_SECRET_NAME: Final = "leftzmq-{}"
_SECRET_LETTERS: Final = 16
_PRIVATE_DIR, _PRIVATE_FILE, _OTHERS = 0o700, 0o600, 0o077


class Ports(Struct, frozen=True):
    """Ports of this device's own sockets; 0 = none is remembered, any port will do."""

    bulk: int = 0
    news: int = 0


class StateDir:
    """The state directory while its lock is held: exactly one agent has one of these."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    @classmethod
    def open(cls, path: Path) -> StateDir:
        """Make the directory if needed and take its lock.

        StateLocked: another agent holds the lock. ConfigError: the directory cannot be made private
        or locked.
        """
        made = make_state_dir(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            lock = os.open(made / "lock", flags, _PRIVATE_FILE)
        except OSError as error:
            raise _unusable(made / "lock", error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "not known yet"
            os.close(lock)
            what = f"another agent runs on this state directory (process {holder})"
            raise StateLocked(what, str(made), "stop it, or give this one its own state") from None
        except OSError as error:
            os.close(lock)
            raise _unusable(made / "lock", error) from None
        with suppress(OSError):  # a hint for users, which a full disk cannot hold
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return cls(made, lock)

    def close(self) -> None:
        """Release the lock. The file stays, because a lock file that is unlinked could be locked
        twice."""
        lock, self._lock = self._lock, None
        if lock is not None:
            with suppress(OSError):
                os.ftruncate(lock, 0)
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def device_key_file(self) -> Path:
        return device_key_file(self.path)

    @property
    def rosters_file(self) -> Path:
        """Return the SQLite file of the rosters of all folders."""
        return self.path / "rosters.db"

    def index_file(self, folder_id: str) -> Path:
        """Return the SQLite file of a folder. Its name is a hash, because an id may contain
        characters that a file name cannot."""
        return index_file(self.path, folder_id)

    def secret_file(self, folder_id: str) -> Path:
        """Return the file of the secret of a folder that no peer.toml names."""
        return self.index_file(folder_id).with_suffix(".secret")

    def load_pairing(self) -> tuple[bytes | None, str]:
        """Return the bytes of what invitations brought, None: nothing yet; and the file's name.
        Raises ConfigError."""
        return self._whole(PAIRING_FILE)

    def _whole(self, name: str) -> tuple[bytes | None, str]:
        file = self.path / name
        try:
            return file.read_bytes(), str(file)
        except FileNotFoundError:
            return None, str(file)
        except OSError as error:
            what, do = f"cannot be read: {error.strerror}", "make it readable for this user"
            raise ConfigError(what, str(file), do) from None

    def save_pairing(self, text: str) -> None:
        """Replace the file of what invitations brought, flushed. Raises OSError; then the old one
        is there."""
        replace_private(self.path / PAIRING_FILE, text.encode())

    def load_pauses(self) -> tuple[bytes | None, str]:
        """Return the bytes of what is paused, None: nothing ever was; and the file's name. Raises
        ConfigError."""
        return self._whole(PAUSES_FILE)

    def save_pauses(self, text: str) -> None:
        """Replace the file of what is paused, flushed. Raises OSError; then the old one is
        there."""
        replace_private(self.path / PAUSES_FILE, text.encode())

    def load_ports(self) -> Ports:
        """Return the remembered ports. They are a convenience: if the file is damaged, none are
        remembered."""
        try:
            found = json.loads((self.path / "ports.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return Ports()
        if not isinstance(found, dict):
            return Ports()
        return Ports(_port(found.get("bulk")), _port(found.get("news")))

    def save_ports(self, ports: Ports) -> str:
        """Remember the ports; after a crash the file is the old one or the new one, whole. Return
        the error of the disk as a sentence, else "". After an error the next start may have other
        ports."""
        if ports == self.load_ports():
            return ""
        text = json.dumps({"bulk": ports.bulk, "news": ports.news}) + "\n"
        try:
            replace_private(self.path / "ports.json", text.encode())
        except OSError as error:
            return f"the ports cannot be remembered: {error.strerror}"
        return ""

    def save_flight(self, text: str, unix_time: float) -> Path:
        """Write what happened before a mistake of ours, and delete the oldest of these files above
        KEPT_FLIGHTS. Return the file. Raises OSError."""
        name = _FLIGHT_NAME.format(datetime.fromtimestamp(unix_time, UTC))
        replace_private(self.path / name, text.encode(errors="backslashreplace"))
        others = sorted(file for file in self.path.glob("flight-*.log") if file.name != name)
        for file in others[: len(others) + 1 - KEPT_FLIGHTS]:
            with suppress(OSError):  # one file too many is no reason to lose the new one
                file.unlink()
        return self.path / name


def make_state_dir(path: Path) -> Path:
    """Make `path` if it is missing, make it private, and return it resolved.

    Takes no lock: `leftzmq id` makes the device key while an agent may run.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            path.mkdir(_PRIVATE_DIR)
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unusable(path, error) from None
    try:
        found = os.fstat(directory)
        _must_be_ours(path, found)
        if found.st_mode & _OTHERS or found.st_mode & _PRIVATE_DIR != _PRIVATE_DIR:
            os.fchmod(directory, _PRIVATE_DIR)
    except OSError as error:
        raise _unusable(path, error) from None
    finally:
        os.close(directory)
    return path.resolve()


def check_state_dir(path: Path) -> None:
    """Raise the ConfigError of `make_state_dir`, as far as it can be foreseen; make and change
    nothing."""
    try:
        found = path.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except FileNotFoundError:
        error = why_not_made(path)
        if error is not None:
            raise _unusable(path, error) from None
    except OSError as error:
        raise _unusable(path, error) from None
    else:
        _must_be_ours(path, found)


def why_not_made(path: Path) -> OSError | None:
    """Return why this user could not make the missing `path`, with directories above it; None if
    nothing is in the way."""
    above = next(each for each in path.absolute().parents if os.path.lexists(each))
    number = 0
    if not above.is_dir():
        number = errno.ENOTDIR
    elif not os.access(above, os.W_OK | os.X_OK):
        number = errno.EACCES
    return OSError(number, os.strerror(number)) if number else None


def index_file(state: Path, folder_id: str) -> Path:
    name = hashlib.blake2b(folder_id.encode(), digest_size=8).hexdigest()
    return state / f"{name}.sqlite"


def device_key_file(state: Path) -> Path:
    return state / "device.key"


def lock_holder(state: Path) -> int | None:
    """Return the process that holds the lock of a state directory: the lock file names it, and the
    kernel (/proc) says that it holds the lock. None: nobody does, or it cannot be seen.

    The lock is not tried, not even for a moment: an agent that begins would find it taken.
    """
    try:
        lock = os.open(state / "lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            process, found = int(os.read(lock, 32)), os.fstat(lock)
        finally:
            os.close(lock)
        holds = any(_is_locked(each, found) for each in Path(f"/proc/{process}/fd").iterdir())
    except (OSError, ValueError):
        return None
    return process if holds else None


def _is_locked(descriptor: Path, lock: os.stat_result) -> bool:
    """Return whether a descriptor in /proc/PID/fd is of this file, and holds its lock."""
    try:
        if not os.path.samestat(descriptor.stat(), lock):
            return False
        # https://docs.kernel.org/filesystems/proc.html, /proc/PID/fdinfo: a line for each lock
        said = (descriptor.parent.parent / "fdinfo" / descriptor.name).read_text()
    except OSError:
        return False
    return any(line.startswith("lock:") and "FLOCK" in line for line in said.splitlines())


def is_there(endpoint: str, state: Path) -> bool:
    """Return whether something lies where an agent with this state directory listens. Raises
    ConfigError if this user may not know."""
    try:
        return Path(endpoint.removeprefix("ipc://")).exists()
    except OSError as error:
        raise _unusable(state, error) from None


def ipc_endpoints(state: Path) -> tuple[str, str]:
    """Return (events, admin) of an agent with this state directory, running or not.

    The sockets always lie in the state directory. If its path is too long for a socket's address,
    the endpoints lead there through a link in a short directory of this user's own ("short way").
    So agent and clients need not agree about the environment: each finds or makes its own link.
    """
    where = state.resolve()
    if len(os.fsencode(where / "events")) > MAX_IPC_PATH_BYTES:
        where = _short_way(where)
    return f"ipc://{where / 'events'}", f"ipc://{where / 'admin'}"


def forget_short_ways(state: Path) -> None:
    """Remove the short links to a state directory that is deleted."""
    where = state.resolve()
    remembered = _remembered_way(where)
    for link in [*_short_links(where), *([] if remembered is None else [remembered])]:
        with suppress(OSError):
            if link.readlink() == where:
                link.unlink()
                link.parent.rmdir()


def _short_links(state: Path) -> list[Path]:
    """Return the possible short links to the state directory, best first."""
    uid = os.geteuid()
    mark = hashlib.blake2b(os.fsencode(state) + b"\0%d" % uid, digest_size=8).hexdigest()
    return [base / f"leftzmq-{mark}" / "s" for base in _bases()]


def _bases() -> list[Path]:
    bases = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]
    return [Path(base) for base in bases if base.startswith("/")]


def _short_way(state: Path) -> Path:
    """Return a short link to the state directory. Another user who may write to a base directory
    can have taken our name there. Then the next base is tried, and at last a random name, which the
    state directory remembers."""
    for link in _short_links(state):
        if _fits(link) and _is_private_link(link, state):
            return link
    found = _remembered_way(state)
    if found is not None:
        return found
    for base in _bases():
        if _fits(base / _SECRET_NAME.format("x" * _SECRET_LETTERS) / "s"):
            with suppress(OSError, KeyFileError):
                return _secret_way(state, base)
    what = f"the path is over {MAX_IPC_PATH_BYTES} bytes, and no folder for a short way to it"
    raise ConfigError(what, str(state), "set TMPDIR to a writable folder, or use a shorter state")


def _fits(link: Path) -> bool:
    return len(os.fsencode(link / "events")) <= MAX_IPC_PATH_BYTES


def _is_private_link(link: Path, state: Path, *, make: bool = True) -> bool:
    """Return whether the link leads to the state directory, and only this user can change the link.

    make: make the link if it is missing.
    """
    private = link.parent
    try:
        if make:
            with suppress(FileExistsError):
                private.mkdir(_PRIVATE_DIR)
        found = private.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if not ours or found.st_mode & _OTHERS:
            return False
        if make:
            with suppress(FileExistsError):
                link.symlink_to(state)
        return link.readlink() == state
    except (OSError, ValueError):  # a NUL in the path
        return False


def _remembered_way(state: Path) -> Path | None:
    """Return the remembered link if it leads to the state directory; else forget it and return
    None."""
    with suppress(KeyFileError, ValueError):
        link = Path(read_private(state / WAY_FILE).decode())
        if link.is_absolute() and _fits(link) and _is_private_link(link, state, make=False):
            return link
    with suppress(OSError):  # there is none, or a cleaner of /tmp deleted it
        (state / WAY_FILE).unlink()
    return None


def _secret_way(state: Path, base: Path) -> Path:
    """Return a new link with a random name, or the one of a process that was faster. Raises
    OSError, KeyFileError."""
    private = base / _SECRET_NAME.format(os.urandom(_SECRET_LETTERS // 2).hex())
    private.mkdir(_PRIVATE_DIR)
    link = private / "s"
    link.symlink_to(state)
    if make_private(state / WAY_FILE, os.fsencode(link)):
        return link
    link.unlink()
    private.rmdir()
    found = _remembered_way(state)
    if found is None:
        raise FileExistsError(f"{WAY_FILE} is no file of ours")
    return found


def read_private(path: Path) -> bytes:
    """Return the bytes of a key or secret file. KeyFileError if others can read or change it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would hang
    except FileNotFoundError:
        do = "copy it from a device that has it, keep it private: chmod 600"
        raise KeyFileError("there is no such file", str(path), do) from None
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise KeyFileError(what, str(path), "make it readable for this user alone") from None
    try:
        mode = os.fstat(file).st_mode
        if not stat.S_ISREG(mode):
            raise KeyFileError("is not a regular file", str(path), "name the file itself")
        if mode & _OTHERS:
            what = f"can be read or changed by others (mode {stat.S_IMODE(mode):04o})"
            raise KeyFileError(what, str(path), f"chmod 600 {quote(str(path))}")
        data = os.read(file, MAX_PRIVATE_FILE_BYTES + 1)
    finally:
        os.close(file)
    if len(data) > MAX_PRIVATE_FILE_BYTES:
        what = f"is over {MAX_PRIVATE_FILE_BYTES} bytes long: neither a key nor a secret"
        raise KeyFileError(what, str(path), "name the right file")
    return data


def make_private(path: Path, data: bytes, random: Callable[[int], bytes] = os.urandom) -> bool:
    """Write these bytes to `path` unless it exists; of several processes that try at once one wins.

    The bytes are written and flushed under a temporary name, then linked. So every reader of `path`
    sees all of them, also after a crash. Return whether this process made the file.
    """
    temporary = path.with_name(f".{path.name[:128]}.{os.getpid()}-{random(8).hex()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_flushed(temporary, data, os.O_EXCL)
            os.link(temporary, path)
            won = True
        except FileExistsError:
            won = False
        finally:
            temporary.unlink(missing_ok=True)
        _flush_dir(path.parent)
    except OSError as error:
        what = f"cannot be made: {error.strerror}"
        do = "name a place on a file system with links and modes that this user may write to"
        raise KeyFileError(what, str(path), do) from None
    return won


def replace_private(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all, also after a crash. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    try:
        _write_flushed(new, data, os.O_TRUNC)
        new.replace(path)
        _flush_dir(path.parent)
    except OSError:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise


def read_secret(path: Path) -> bytes:
    """Return the folder secret in `path`, 32 bytes. KeyFileError never quotes the contents."""
    text = read_private(path).strip()
    wanted = 2 * SECRET_BYTES
    do = "copy the whole file again from a device that has it"
    if not all(byte in b"0123456789abcdefABCDEF" for byte in text):
        raise KeyFileError(f"is not {wanted} hex digits: it holds something else", str(path), do)
    if len(text) != wanted:
        what = f"{wanted} hex digits are wanted, {len(text)} were found"
        raise KeyFileError(what, str(path), do)
    return bytes.fromhex(text.decode())


def make_secret(path: Path, random: Callable[[int], bytes] = os.urandom) -> bytes:
    """Make the folder secret unless it exists, and return it."""
    make_private(path, random(SECRET_BYTES).hex().encode() + b"\n", random)
    return read_secret(path)


def _write_flushed(path: Path, data: bytes, how: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | how
    with os.fdopen(os.open(path, flags, _PRIVATE_FILE), "wb") as writer:
        os.fchmod(writer.fileno(), _PRIVATE_FILE)  # also for an old file, whatever its mode was
        writer.write(data)
        writer.flush()
        os.fsync(writer.fileno())


def _flush_dir(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _must_be_ours(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        what = f"the state directory belongs to another user (uid {found.st_uid})"
        do = "run as that user, or name another state in [device]"
        raise ConfigError(what, str(path), do)


def _port(value: object) -> int:
    return value if type(value) is int and 0 < value < 1 << 16 else 0


def _unusable(path: Path, error: OSError) -> ConfigError:
    if isinstance(error, PermissionError):
        with suppress(OSError):
            _must_be_ours(path, path.stat())  # the reason that helps
    do = "name a state that this user may write to, in [device]"
    return ConfigError(f"cannot be used: {error.strerror}", str(path), do)
