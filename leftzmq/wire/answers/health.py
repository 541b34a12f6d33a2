"""The answers to `fleet` and `doctor` as typed values. docs/admin.md says what each field means."""

from __future__ import annotations

from leftzmq.wire.replies import Reply


class FleetDevice(Reply, frozen=True, kw_only=True):
    """One device of a folder. What is seen from here: state, why, behind_*, last_seen. What it says
    of itself, and nobody has checked: version, free_bytes, clock_ms, says_state. None: not known.

    state: of a MemberState, its value; of this device, of a FolderState
    behind_paths, behind_bytes: what it lacks of ours. Of this device: what it lacks of others'
    last_seen: when it was connected last, unix seconds. clock_ms: how much its clock is ahead
    """

    name: str
    key: str
    is_us: bool
    connected: bool
    state: str
    why: str
    behind_paths: int | None
    behind_bytes: int | None
    last_seen: float | None
    version: str | None
    free_bytes: int | None
    clock_ms: int | None
    says_state: str | None


class FleetShown(Reply, frozen=True, kw_only=True):
    """All devices of a folder; this one first."""

    folder: str
    devices: list[FleetDevice]


class FindingShown(Reply, frozen=True, kw_only=True):
    """check: what was looked at; state: good, note or bad. about: the device, folder or path that
    it concerns, or empty. cure: what to do about it; empty where nothing is to be done."""

    check: str
    state: str
    about: str
    text: str
    cure: str


class DoctorShown(Reply, frozen=True, kw_only=True):
    findings: list[FindingShown]
