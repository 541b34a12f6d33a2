"""Which folders and devices are paused, kept over restarts, and the questions that change it.

A file of its own: what was learnt (pairing.json) is given by invitations and rosters and is lost
with none of them, while a pause that is lost is only over. It is durable before the agent acts on
it. An end is a time of the wall clock, which is looked at in every turn of the loop: so a clock
that jumps is followed. Must not know what a pause means to a folder or a connection.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from leftzmq.errors import ConfigError, UsageError
from leftzmq.runtime.pairing.asked_fields import AskedFields, answered
from leftzmq.statedir import StateDir
from leftzmq.wire.local import Scalar
from leftzmq.wire.replies import PausedShown, PausesShown, Reply

FORM: Final = 1
KEY_BYTES: Final = 32
MAX_FOR_S: Final = 366 * 86_400
LOOK_PERIOD_S: Final = 10.0
_DO: Final = "correct it, or move it away: nothing is paused then"

Until = float | None
"""Unix seconds; None: until a user ends it."""


class Pauses(Struct, frozen=True):
    """folders: by id; devices: by key."""

    folders: Mapping[str, Until] = field(default_factory=dict)
    devices: Mapping[bytes, Until] = field(default_factory=dict)

    def ended_by(self, unix_s: float) -> Pauses:
        """Return what is still paused at this time."""
        return Pauses(_left(self.folders, unix_s), _left(self.devices, unix_s))

    def next_end(self) -> float | None:
        """Return when the next pause ends (unix seconds)."""
        ends = (*self.folders.values(), *self.devices.values())
        return min((end for end in ends if end is not None), default=None)


def _left(paused: Mapping[Any, Until], unix_s: float) -> dict[Any, Until]:
    return {what: until for what, until in paused.items() if until is None or until > unix_s}


def text_of(pauses: Pauses) -> str:
    """Return the file. The inverse of `read`."""
    devices = {key.hex(): until for key, until in pauses.devices.items()}
    value = {"form": FORM, "folders": dict(pauses.folders), "devices": devices}
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def read(data: bytes, where: str) -> Pauses:
    """Return what a file holds. Raises ConfigError, which names the file: `where`."""
    try:
        value = json.loads(data)
        if value["form"] != FORM:
            do = "use the leftzmq that wrote it, or move it away"
            raise ConfigError("is of another version of leftzmq", where, do)
        folders = {str(id): _until(until) for id, until in value["folders"].items()}
        devices = {_key(key): _until(until) for key, until in value["devices"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"cannot be read: {type(error).__name__}: {error}"
        raise ConfigError(what, where, _DO) from None
    return Pauses(folders, devices)


def _until(value: Any) -> Until:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no time")
    return float(value)


def _key(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) != KEY_BYTES:
        raise ValueError(f"{len(key)} bytes, {KEY_BYTES} are wanted")
    return key


def load_pauses(state: StateDir) -> Pauses:
    """Return what was paused when the agent ended. Raises ConfigError."""
    data, where = state.load_pauses()
    return Pauses() if data is None else read(data, where)


class PauseHost(Protocol):
    """What is used of the agent."""

    def folder_ids(self) -> Iterable[str]:
        """Return the folders of this device."""

    def peer_names(self) -> Mapping[str, bytes]:
        """Return the key of each peer that has one, by its name."""

    def use_pauses(self, pauses: Pauses) -> None:
        """These are paused from now on, and no others."""


class PauseDesk:
    """One per agent. wall: returns unix seconds."""

    def __init__(
        self, host: PauseHost, state: StateDir, pauses: Pauses, wall: Callable[[], float]
    ) -> None:
        self._host, self._state, self._pauses, self._wall = host, state, pauses, wall
        self._verbs: dict[str, Callable[[AskedFields], Reply]] = {
            "pause": self._pause,
            "resume": self._resume,
        }

    def begin(self) -> None:
        """Act on what was paused before the agent was started."""
        self._pauses = self._pauses.ended_by(self._wall())
        if self._pauses != Pauses():
            self._host.use_pauses(self._pauses)

    def knows(self, verb: str) -> bool:
        return verb in self._verbs

    def answer(self, verb: str, fields: Mapping[str, Scalar]) -> dict[str, Any]:
        """Return the answer to a question, or why it is declined."""
        return answered(
            self._verbs[verb], fields, self._state.path, "nothing was paused or resumed"
        )

    def deadline(self, now: float) -> float | None:
        """Return when `tick` is to look at the clock again (monotonic seconds)."""
        end = self._pauses.next_end()
        if end is None:
            return None
        return now + min(max(0.0, end - self._wall()), LOOK_PERIOD_S)

    def tick(self) -> None:
        """End the pauses whose time is over. If that cannot be written, they end all the same: the
        next start finds that they are over."""
        left = self._pauses.ended_by(self._wall())
        if left == self._pauses:
            return
        try:
            self._use(left)
        except OSError:
            self._pauses = left
            self._host.use_pauses(left)

    def _pause(self, asked: AskedFields) -> PausesShown:
        seconds = asked.number("for_s", 0.0, MAX_FOR_S, 0.0)
        until = self._wall() + seconds if seconds else None
        folders, devices = self._meant(asked)
        self._use(
            Pauses(
                {**self._pauses.folders, **dict.fromkeys(folders, until)},
                {**self._pauses.devices, **dict.fromkeys(devices, until)},
            )
        )
        return self._shown()

    def _resume(self, asked: AskedFields) -> PausesShown:
        if not asked.optional("folder") and not asked.optional("peer"):
            self._use(Pauses())
            return self._shown()
        folders, devices = self._meant(asked, self._pauses.folders)
        left = replace(
            self._pauses,
            folders={id: u for id, u in self._pauses.folders.items() if id not in folders},
            devices={key: u for key, u in self._pauses.devices.items() if key not in devices},
        )
        self._use(left)
        return self._shown()

    def _meant(
        self, asked: AskedFields, paused: Iterable[str] = ()
    ) -> tuple[list[str], list[bytes]]:
        """Return the folders and devices that a question means: all folders, if it names none.

        paused: folders that may be named, too. One of them may have been taken off, or be unusable
        as peer.toml has it now.
        """
        id, name = asked.optional("folder"), asked.optional("peer")
        if id and name:
            do = "pause the folder for all devices, or the device for all folders"
            raise UsageError("a folder and a device are named", f"{id}, {name}", do)
        ids = list(dict.fromkeys((*self._host.folder_ids(), *paused)))
        keys = self._host.peer_names()
        if name:
            if name not in keys:
                there = ", ".join(keys) or "none"
                raise UsageError("there is no such device here", name, f"there is {there}")
            return [], [keys[name]]
        if id and id not in ids:
            raise UsageError("there is no such folder here", id, f"there is {', '.join(ids)}")
        return ([id] if id else ids), []

    def _use(self, pauses: Pauses) -> None:
        """Write it; when it is durable, act on it. Raises OSError; then nothing has changed."""
        self._state.save_pauses(text_of(pauses))
        self._pauses = pauses
        self._host.use_pauses(pauses)

    def _shown(self) -> PausesShown:
        names = {key: name for name, key in self._host.peer_names().items()}
        return PausesShown(
            folders=[
                PausedShown(name=id, until=until) for id, until in self._pauses.folders.items()
            ],
            peers=[
                PausedShown(name=names[key], until=until)
                for key, until in self._pauses.devices.items()
                if key in names
            ],
        )
