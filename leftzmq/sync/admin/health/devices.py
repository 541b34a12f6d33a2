"""Checks of other devices: who reaches whom, clocks, versions, paths between them.

Each check is a function of what is seen of a device, and returns findings. What a device says of
itself is shown, and decides nothing but what is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from leftzmq.errors import Away
from leftzmq.sync.admin.health.findings import Finding
from leftzmq.sync.peers.peer_state import BEING_DIALED, REACHED
from leftzmq.wire.answers.health import FindingShown

CLOCK_NOTE_MS: Final = 2_000
CLOCK_BAD_MS: Final = 60_000
LEAST_MTU_BYTES: Final = 1_280
"""Every link of IPv6 takes so much (RFC 8200, "Packet Size Issues")."""

_ADDRESS: Final = "correct its address: leftzmq peers address {name} tcp://HOST:PORT"
_CURES: Final[dict[Away, str]] = {
    Away.NO_ADDRESS: "give one of the two the address of the other: leftzmq peers address {name} "
    "tcp://HOST:PORT here, or the same for this device there",
    Away.NOBODY_ANSWERS: "look whether its agent runs, and whether its port is let through there; "
    + _ADDRESS,
    Away.REFUSED_OUR_KEY: "let this device in there: put what `leftzmq id` prints here into a "
    "[[peer]] there, or join once more",
    Away.HUNG_UP: "compare its `leftzmq id` with the key that this device has of it",
    Away.NO_AGENT: _ADDRESS,
    Away.LOST: "wait a moment: it is dialed again; else look at the network between the two",
    Away.STOPPED: "start its agent when it is to sync: leftzmq up there",
    Away.OTHER_VERSION: "update the older of the two",
    Away.REFUSES: "see what it says; leftzmq status there says more",
    Away.SHUT_OUT: "it is let in again after a minute; if that repeats, update its leftzmq",
    Away.PAUSED: "leftzmq resume --peer {name}",
}
_AT_REST: Final = frozenset((Away.PAUSED, Away.STOPPED))
"""Somebody wanted it so."""
_AFTER_GOODBYE: Final = frozenset((Away.NOBODY_ANSWERS, Away.LOST))
"""What is seen of a device that was stopped in an orderly way, as soon as it is dialed again."""


class SelfSaid(Struct, frozen=True):
    """What a device said of itself last. dialing, dialing_why: how its own dialing of us stands."""

    program: str
    dialing: str
    dialing_why: str
    clock_ms: int


class DeviceSeen(Struct, frozen=True):
    """One other device, as the checks need it.

    dialing, dialing_why: how our own dialing of it stands, as Peers.dialing returns it
    away, away_why: why it is not connected; None: not known, or it is connected
    said: None: it said nothing
    said_goodbye: whether it stopped in an orderly way and did not come back since
    mtu_bytes: the largest packet that reaches it whole; None: not known
    """

    name: str
    connected: bool
    dialing: str
    dialing_why: str
    away: Away | None = None
    away_why: str = ""
    said: SelfSaid | None = None
    mtu_bytes: int | None = None
    said_goodbye: bool = False


def reached(device: DeviceSeen) -> list[FindingShown]:
    """Can this device reach it, and is it connected?"""
    name = device.name
    if not device.connected:
        if device.away is None:
            return [Finding.BEING_DIALED.about(name)]
        if device.said_goodbye and device.away in _AFTER_GOODBYE:
            why, cure = f"it said goodbye; {device.away_why}", _cure(Away.STOPPED, name)
            return [Finding.AT_REST.about(name, why=why, cure=cure)]
        kind = Finding.AT_REST if device.away in _AT_REST else Finding.NOT_CONNECTED
        return [kind.about(name, why=device.away_why, cure=_cure(device.away, name))]
    if device.dialing == REACHED:
        return [Finding.REACHED.about(name)]
    if device.dialing in (Away.NO_ADDRESS.value, BEING_DIALED):
        return [Finding.IT_DIALS_US.about(name)]
    cure = _cure(Away(device.dialing), name)
    return [Finding.CANNOT_DIAL.about(name, why=device.dialing_why, cure=cure)]


def reaches_us(device: DeviceSeen) -> list[FindingShown]:
    """Can it reach this device? It says so itself."""
    name, said = device.name, device.said
    if not device.connected:
        return []
    if _has_reached_us(device):
        return [Finding.REACHES_US.about(name)]
    if said is None:
        return [Finding.REACHES_US_UNKNOWN.about(name)]
    if said.dialing == Away.NO_ADDRESS.value:
        return [Finding.WE_DIAL_IT.about(name)]
    if said.dialing == BEING_DIALED:
        return [Finding.STILL_DIALS_US.about(name)]
    word, why = said.dialing, said.dialing_why
    return [Finding.CANNOT_REACH_US.about(name, word=word, why=why)]


def nobody_reaches_us(devices: Iterable[DeviceSeen]) -> list[FindingShown]:
    """Is there a device that reached this one? Devices of which that is not known count for
    neither."""
    answers = {_has_reached_us(device) for device in devices if device.connected}
    return [Finding.NOBODY_REACHES_US.about("")] if answers - {None} == {False} else []


def _has_reached_us(device: DeviceSeen) -> bool | None:
    """None: not known."""
    if device.dialing != REACHED:
        return True  # it is connected by a link that it dialed
    return None if device.said is None else device.said.dialing == REACHED


def clock(device: DeviceSeen) -> list[FindingShown]:
    """Does its clock agree with ours?"""
    if not device.connected:
        return []
    if device.said is None:
        return [Finding.CLOCK_UNKNOWN.about(device.name)]
    ahead_ms = device.said.clock_ms
    off = f"{abs(ahead_ms) / 1000:,.1f} s {'ahead of' if ahead_ms > 0 else 'behind'}"
    if abs(ahead_ms) > CLOCK_BAD_MS:
        return [Finding.CLOCK_WRONG.about(device.name, off=off)]
    if abs(ahead_ms) > CLOCK_NOTE_MS:
        return [Finding.CLOCK_OFF.about(device.name, off=off)]
    return [Finding.CLOCK_AGREES.about(device.name)]


def version(device: DeviceSeen, ours: str) -> list[FindingShown]:
    """Do both run the same program? ours: the version of this one."""
    if device.away is Away.OTHER_VERSION:
        return [Finding.OTHER_PROTOCOL.about(device.name, why=device.away_why)]
    if not device.connected:
        return []
    if device.said is None:
        return [Finding.VERSION_UNKNOWN.about(device.name)]
    theirs = device.said.program
    if theirs != ours:
        return [Finding.OTHER_VERSION.about(device.name, theirs=theirs, ours=ours)]
    return [Finding.SAME_VERSION.about(device.name, version=ours)]


def path_mtu(device: DeviceSeen) -> list[FindingShown]:
    """Do packets of a usual size reach it?"""
    if not device.connected:
        return []
    if device.mtu_bytes is None:
        return [Finding.MTU_UNKNOWN.about(device.name)]
    small = device.mtu_bytes < LEAST_MTU_BYTES
    kind = Finding.MTU_SMALL if small else Finding.PATH_MTU
    return [kind.about(device.name, bytes=device.mtu_bytes)]


def without_key(name: str) -> list[FindingShown]:
    """A [[peer]] whose key nobody has written down."""
    return [Finding.NO_KEY.about(name)]


def of_devices(
    devices: Iterable[DeviceSeen], keyless: Iterable[str], program: str
) -> list[FindingShown]:
    """Make all checks of other devices. program: the version of ours."""
    seen, names = list(devices), list(keyless)
    if not seen and not names:
        return [Finding.NO_DEVICE.about("")]
    found = nobody_reaches_us(seen)
    for device in seen:
        found += reached(device) + reaches_us(device) + clock(device)
        found += version(device, program) + path_mtu(device)
    return found + [each for name in names for each in without_key(name)]


def _cure(away: Away, name: str) -> str:
    return _CURES[away].format(name=name)
