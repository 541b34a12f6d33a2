"""Each finding about other devices, from what is seen of one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from leftzmq.errors import Away
from leftzmq.sync.admin.health import devices
from leftzmq.sync.admin.health.devices import DeviceSeen, SelfSaid, of_devices
from leftzmq.sync.admin.health.findings import Finding
from leftzmq.wire.answers.health import FindingShown

SAID = SelfSaid("0.1.0", "connected", "", 12)
BETA = DeviceSeen("beta", True, "connected", "", said=SAID, mtu_bytes=1500)
AWAY = replace(BETA, connected=False, said=None, dialing="nobody answers", mtu_bytes=None)


def is_of(shown: FindingShown, kind: Finding) -> bool:
    """Whether it says what this finding says, whatever its parts are."""
    begin = kind.value.text.partition("{")[0]
    same = (shown.check, shown.state) == (kind.check.value, kind.state.value)
    return same and shown.text.startswith(begin)


def only(found: list[FindingShown], kind: Finding) -> FindingShown:
    (one,) = found
    assert is_of(one, kind), one
    assert "{" not in one.text + one.cure
    return one


def says(**fields: object) -> DeviceSeen:
    return replace(BETA, said=replace(SAID, **fields))


# ---- does this device reach it? -----------------------------------------------------------------


def test_reached() -> None:
    assert only(devices.reached(BETA), Finding.REACHED).about == "beta"


@pytest.mark.parametrize("word", ["no address", "connecting"])
def test_it_dials_us(word: str) -> None:
    only(devices.reached(replace(BETA, dialing=word)), Finding.IT_DIALS_US)


def test_cannot_dial() -> None:
    why = "nobody answers at tcp://192.0.2.7:1"
    seen = replace(BETA, dialing="nobody answers", dialing_why=why)
    one = only(devices.reached(seen), Finding.CANNOT_DIAL)
    assert one.text.endswith(why) and "leftzmq peers address beta" in one.cure


def test_being_dialed() -> None:
    only(devices.reached(AWAY), Finding.BEING_DIALED)


@pytest.mark.parametrize("away", [Away.STOPPED, Away.PAUSED])
def test_at_rest(away: Away) -> None:
    one = only(devices.reached(replace(AWAY, away=away, away_why="so")), Finding.AT_REST)
    assert one.text == "it is not connected: so" and one.cure


@pytest.mark.parametrize("away", [a for a in Away if a not in (Away.STOPPED, Away.PAUSED)])
def test_not_connected(away: Away) -> None:
    one = only(devices.reached(replace(AWAY, away=away, away_why="so")), Finding.NOT_CONNECTED)
    assert one.text == "it is not connected: so" and one.cure


@pytest.mark.parametrize("away", [Away.NOBODY_ANSWERS, Away.LOST])
def test_who_said_goodbye_is_at_rest_also_when_nobody_answers(away: Away) -> None:
    seen = replace(AWAY, away=away, away_why="nobody answers at x", said_goodbye=True)
    one = only(devices.reached(seen), Finding.AT_REST)
    assert one.text.endswith("it said goodbye; nobody answers at x")


def test_who_said_goodbye_and_refuses_us_now_is_not_at_rest() -> None:
    seen = replace(AWAY, away=Away.REFUSED_OUR_KEY, away_why="so", said_goodbye=True)
    only(devices.reached(seen), Finding.NOT_CONNECTED)


@pytest.mark.parametrize("away", Away)
def test_every_reason_has_a_cure_also_where_the_device_dials_us(away: Away) -> None:
    (one,) = devices.reached(replace(BETA, dialing=away.value, dialing_why="so"))
    assert (one.state == "good") == (away is Away.NO_ADDRESS)
    assert one.cure or one.state == "good"


def test_no_key() -> None:
    only(devices.without_key("delta"), Finding.NO_KEY)


def test_no_device() -> None:
    only(of_devices([], [], "0.1.0"), Finding.NO_DEVICE)


# ---- does it reach this device? -----------------------------------------------------------------


def test_reaches_us() -> None:
    only(devices.reaches_us(BETA), Finding.REACHES_US)
    by_its_own_link = replace(BETA, dialing="nobody answers", said=None)
    only(devices.reaches_us(by_its_own_link), Finding.REACHES_US)


def test_we_dial_it() -> None:
    only(devices.reaches_us(says(dialing="no address")), Finding.WE_DIAL_IT)


def test_still_dials_us() -> None:
    only(devices.reaches_us(says(dialing="connecting")), Finding.STILL_DIALS_US)


@pytest.mark.parametrize("word", ["nobody answers", "refused our key", "no such word {x}"])
def test_cannot_reach_us(word: str) -> None:
    why = "nobody answers at tcp://198.51.100.9:7707 {braces}"
    (one,) = devices.reaches_us(says(dialing=word, dialing_why=why))
    assert one.state == "note"
    assert f"says ({word}): {why}" in one.text
    assert "firewall" in one.cure


def test_reaches_us_unknown() -> None:
    only(devices.reaches_us(replace(BETA, said=None)), Finding.REACHES_US_UNKNOWN)


def test_of_a_device_that_is_away_nothing_is_said_of_how_it_reaches_us() -> None:
    assert devices.reaches_us(AWAY) == []


def test_nobody_reaches_us() -> None:
    cannot = says(dialing="nobody answers")
    found = devices.nobody_reaches_us([cannot, says(dialing="no address"), AWAY])
    assert only(found, Finding.NOBODY_REACHES_US).about == ""
    assert devices.nobody_reaches_us([cannot, BETA]) == []
    assert devices.nobody_reaches_us([replace(BETA, said=None), AWAY]) == [], "that is not known"
    assert devices.nobody_reaches_us([]) == []


# ---- clocks, versions, paths --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead_ms", "kind", "text"),
    [
        (0, Finding.CLOCK_AGREES, ""),
        (2_000, Finding.CLOCK_AGREES, ""),
        (-2_000, Finding.CLOCK_AGREES, ""),
        (2_001, Finding.CLOCK_OFF, "2.0 s ahead of this device's"),
        (-60_000, Finding.CLOCK_OFF, "60.0 s behind this device's"),
        (60_001, Finding.CLOCK_WRONG, "60.0 s ahead of this device's"),
        (-3_600_000, Finding.CLOCK_WRONG, "3,600.0 s behind this device's"),
        (-(2**63) // 10**6, Finding.CLOCK_WRONG, "behind this device's"),
    ],
)
def test_clock(ahead_ms: int, kind: Finding, text: str) -> None:
    one = only(devices.clock(says(clock_ms=ahead_ms)), kind)
    assert text in one.text
    assert bool(one.cure) == (kind is not Finding.CLOCK_AGREES)


def test_clock_unknown() -> None:
    only(devices.clock(replace(BETA, said=None)), Finding.CLOCK_UNKNOWN)
    assert devices.clock(AWAY) == []


def test_same_version() -> None:
    only(devices.version(BETA, "0.1.0"), Finding.SAME_VERSION)


def test_other_version() -> None:
    one = only(devices.version(says(program="0.2.0"), "0.1.0"), Finding.OTHER_VERSION)
    assert "it runs leftzmq 0.2.0, this device 0.1.0" in one.text


def test_other_protocol() -> None:
    seen = replace(AWAY, away=Away.OTHER_VERSION, away_why="it speaks 4, we speak 3")
    one = only(devices.version(seen, "0.1.0"), Finding.OTHER_PROTOCOL)
    assert "it speaks 4" in one.text


def test_version_unknown() -> None:
    only(devices.version(replace(BETA, said=None), "0.1.0"), Finding.VERSION_UNKNOWN)
    assert devices.version(AWAY, "0.1.0") == []


def test_path_mtu() -> None:
    assert "1,500" in only(devices.path_mtu(BETA), Finding.PATH_MTU).text
    assert only(devices.path_mtu(replace(BETA, mtu_bytes=1280)), Finding.PATH_MTU)


def test_mtu_small() -> None:
    one = only(devices.path_mtu(replace(BETA, mtu_bytes=1279)), Finding.MTU_SMALL)
    assert "1,279" in one.text and one.cure


def test_mtu_unknown() -> None:
    only(devices.path_mtu(replace(BETA, mtu_bytes=None)), Finding.MTU_UNKNOWN)
    assert devices.path_mtu(AWAY) == []


HOSTILE = SelfSaid("\x1b[2J{0}{x}" * 8, "{}{about}", "{why.__class__}%s", 2**62)


def test_what_a_device_says_is_text_and_no_template() -> None:
    found = of_devices([replace(BETA, said=HOSTILE), AWAY], ["{0}"], "0.1.0")
    text = "\n".join(one.text for one in found)
    assert HOSTILE.dialing_why in text and HOSTILE.program in text
    assert "{0}" in {one.about for one in found}
