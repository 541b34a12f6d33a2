"""Each finding about this machine and its shares, from what is seen of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from leftzmq.disk.share import ShareTraits
from leftzmq.sync.admin.health import machine
from leftzmq.sync.admin.health.findings import Finding
from leftzmq.sync.facts import DiskRoom, MachineSeen, OpenFile
from leftzmq.wire.answers.health import FindingShown

GIB = 1 << 30
SEEN = MachineSeen(
    state="/home/a b/state",
    state_mode=0o700,
    open_files=(),
    state_room=DiskRoom(50 * GIB, 100 * GIB),
    watches_most=65_536,
    watched=1_000,
    unwatched=(),
    descriptors_most=65_536,
    descriptors_needed=3_624,
    descriptors_open=60,
    mtu_bytes={},
)
TRAITS = ShareTraits(
    50 * GIB, 100 * GIB, tells_case=True, tells_forms=True, time_step_ns=1, lacks=()
)


def only(found: list[FindingShown], kind: Finding) -> FindingShown:
    (one,) = found
    assert (one.check, one.state) == (kind.check.value, kind.state.value), one
    assert one.text.startswith(kind.value.text.partition("{")[0])
    assert "{" not in one.text + one.cure
    return one


def test_watched() -> None:
    assert "1,000" in only(machine.watches(SEEN), Finding.WATCHED).text


def test_watches_allowed() -> None:
    only(machine.watches(replace(SEEN, watched=None)), Finding.WATCHES_ALLOWED)


def test_few_watches_left() -> None:
    assert only(machine.watches(replace(SEEN, watched=57_344)), Finding.WATCHED)
    one = only(machine.watches(replace(SEEN, watched=57_345)), Finding.FEW_WATCHES_LEFT)
    assert "max_user_watches=131072" in one.cure


def test_not_watched() -> None:
    bad, rest = machine.watches(replace(SEEN, unwatched=("photos",)))
    assert only([bad], Finding.NOT_WATCHED).about == "photos"
    assert only([rest], Finding.WATCHED)


def test_no_inotify() -> None:
    seen = replace(SEEN, watches_most=None, unwatched=("photos",))
    only(machine.watches(seen), Finding.NO_INOTIFY)


def test_descriptors() -> None:
    assert "; 60 are open" in only(machine.descriptors(SEEN), Finding.DESCRIPTORS).text
    only(machine.descriptors(replace(SEEN, descriptors_open=None)), Finding.DESCRIPTORS)


def test_few_descriptors_left() -> None:
    seen = replace(SEEN, descriptors_open=57_345)
    assert "131072" in only(machine.descriptors(seen), Finding.FEW_DESCRIPTORS_LEFT).cure


def test_too_few_descriptors() -> None:
    seen = replace(SEEN, descriptors_most=3_623)
    one = only(machine.descriptors(seen), Finding.TOO_FEW_DESCRIPTORS)
    assert "LimitNOFILE=3624" in one.cure


def test_private() -> None:
    only(machine.permissions(SEEN), Finding.PRIVATE)


def test_state_is_open() -> None:
    one = only(machine.permissions(replace(SEEN, state_mode=0o750)), Finding.STATE_IS_OPEN)
    assert "0750" in one.text and one.cure == "chmod 700 '/home/a b/state'"


def test_file_is_open() -> None:
    seen = replace(SEEN, open_files=(OpenFile("/x/device.key", 0o644),))
    one = only(machine.permissions(seen), Finding.FILE_IS_OPEN)
    assert one.about == "/x/device.key" and one.cure.startswith("chmod 600 /x/device.key")


def test_state_away() -> None:
    seen = replace(SEEN, state_mode=0, state_why="Permission denied")
    assert "Permission denied" in only(machine.permissions(seen), Finding.STATE_AWAY).text


@pytest.mark.parametrize(
    ("free", "total", "kind"),
    [
        (50 * GIB, 100 * GIB, Finding.ROOM),
        (GIB, 100 * GIB, Finding.ROOM),
        (GIB - 1, 100 * GIB, Finding.LITTLE_ROOM),
        (GIB, 2 * GIB, Finding.ROOM),
        (5 * GIB, 500 * GIB, Finding.ROOM),
        (5 * GIB - 1, 500 * GIB, Finding.LITTLE_ROOM),
        (0, 100, Finding.LITTLE_ROOM),
        (0, 0, Finding.ROOM_UNKNOWN),
    ],
)
def test_room(free: int, total: int, kind: Finding) -> None:
    assert only(machine.room("photos", DiskRoom(free, total)), kind).about == "photos"


def test_room_unknown() -> None:
    only(machine.room("state", None), Finding.ROOM_UNKNOWN)


def test_names_differ() -> None:
    only(machine.names("photos", TRAITS), Finding.NAMES_DIFFER)


def test_one_case() -> None:
    only(machine.names("photos", replace(TRAITS, tells_case=False)), Finding.ONE_CASE)


def test_one_form() -> None:
    only(machine.names("photos", replace(TRAITS, tells_forms=False)), Finding.ONE_FORM)
    both = replace(TRAITS, tells_forms=False, tells_case=False)
    assert len(machine.names("photos", both)) == 2


@pytest.mark.parametrize(
    ("step", "kind", "text"),
    [
        (1, Finding.FINE_TIMES, "1 ns"),
        (1_000, Finding.FINE_TIMES, "1,000 ns"),
        (1_000_000, Finding.FINE_TIMES, "1 ms"),
        (10_000_000, Finding.COARSE_TIMES, "10 ms"),
        (2_000_000_000, Finding.COARSE_TIMES, "2 s"),
    ],
)
def test_times(step: int, kind: Finding, text: str) -> None:
    assert text in only(machine.times("photos", replace(TRAITS, time_step_ns=step)), kind).text


def test_times_unknown() -> None:
    only(machine.times("photos", replace(TRAITS, time_step_ns=None)), Finding.TIMES_UNKNOWN)


def test_replaces() -> None:
    only(machine.replacing("photos", TRAITS), Finding.REPLACES)


def test_lacks_calls() -> None:
    seen = replace(TRAITS, lacks=("it cannot {this}", "nor that"))
    found = machine.replacing("photos", seen)
    assert [one.text for one in found] == ["it cannot {this}", "nor that"]
    assert {one.state for one in found} == {"note"}


def test_a_share_that_can_do_all_has_only_good_findings() -> None:
    found = machine.of_share("photos", TRAITS)
    assert {one.check for one in found} == {"share", "room", "names", "times", "replacing"}
    assert {one.state for one in found} == {"good"}
    assert only(found[:1], Finding.SHARE_WORKS)
    assert not machine.needs_a_cure(found)


def test_only_what_is_bad_needs_a_cure() -> None:
    notes = machine.of_share("photos", replace(TRAITS, tells_case=False, free_bytes=0))
    assert not machine.needs_a_cure(notes)
    assert machine.needs_a_cure([*notes, *machine.permissions(replace(SEEN, state_mode=0o755))])
