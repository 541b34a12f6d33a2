"""Real agents that reach each other one way only, fall asleep, or come back at another place."""

from __future__ import annotations

import os
import signal
import time

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, free_ports, wait_until

DEADLINE_S = 20.0
HEALED_S = 10.0
NEWS_S = 5.0
"""Less than a heartbeat (10 s), so that what is heard in it was news."""
ASLEEP_S = 4.0


def has(actor: Actor, path: str, data: bytes) -> bool:
    try:
        return (actor.share / path).read_bytes() == data
    except OSError:
        return False


def change(actor: Actor, old: str, new: str) -> None:
    config = actor.home / "peer.toml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def tells(giver: Actor, taker: Actor, path: str, within_s: float) -> None:
    """What appears at one is at the other soon."""
    data = os.urandom(5000)
    (giver.share / path).write_bytes(data)
    assert wait_until(lambda: has(taker, path, data), within_s), f"{giver.name} to {taker.name}"


def is_away(seen_by: Actor) -> bool:
    (peer,) = seen_by.status()["peers"]
    return not peer["connected"]


def without_address(a: Actor, b: Actor) -> None:
    change(a, f'address = "tcp://127.0.0.1:{b.port}"\n', "")


def with_an_address_where_nobody_is(a: Actor, b: Actor) -> None:
    change(a, f":{b.port}", f":{free_ports(1)[0]}")


@pytest.mark.parametrize("lame", [without_address, with_an_address_where_nobody_is])
def test_one_reachable_device_of_two_is_enough_news_included(stage: Stage, lame: object) -> None:
    a, b = stage.actors
    assert callable(lame)
    lame(a, b)
    a.start()
    b.start()
    tells(a, b, "first from A", DEADLINE_S)
    tells(b, a, "first from B", DEADLINE_S)
    for number in range(3):
        tells(b, a, f"from B {number}", NEWS_S)
        tells(a, b, f"from A {number}", NEWS_S)
    large = os.urandom(3 << 20)
    (b.share / "large").write_bytes(large)
    assert wait_until(lambda: has(a, "large", large), DEADLINE_S)


def test_a_device_that_comes_back_at_another_port_is_met_again(stage: Stage) -> None:
    """The other side's config still names the old one; it is dialed by the one that moved."""
    a, b = stage.actors
    a.start()
    b.start()
    tells(a, b, "before", DEADLINE_S)
    b.stop()
    change(
        b, f'listen = "tcp://127.0.0.1:{b.port}"', f'listen = "tcp://127.0.0.1:{free_ports(1)[0]}"'
    )
    b.start()
    tells(a, b, "after, from A", HEALED_S)
    tells(b, a, "after, from B", HEALED_S)
    tells(b, a, "news of B", NEWS_S)
    tells(a, b, "news of A", NEWS_S)


def test_a_device_that_sleeps_is_in_sync_soon_after_it_wakes(stage: Stage) -> None:
    a, b = stage.actors
    a.start()
    b.start()
    tells(a, b, "before", DEADLINE_S)
    os.kill(b.pid, signal.SIGSTOP)
    try:
        for number in range(20):
            (a.share / f"asleep {number}").write_bytes(os.urandom(5000))
        (b.share / "put there by its user").write_bytes(b"while its agent slept")
        time.sleep(ASLEEP_S)
    finally:
        os.kill(b.pid, signal.SIGCONT)

    def same() -> bool:
        names = {path.name for path in a.share.iterdir()} - {".left"}
        if len(names) != 22 or any(name.endswith(".lefting") for name in names):
            return False
        return all(has(b, name, (a.share / name).read_bytes()) for name in names)

    assert wait_until(same, HEALED_S)


def test_a_device_that_is_killed_as_soon_as_it_was_met_is_away_at_once(stage: Stage) -> None:
    """Its own dialing may have been the only one that was through by then."""
    a, b = stage.actors
    a.start()
    b.start()
    tells(a, b, "first", DEADLINE_S)
    b.kill()
    assert wait_until(lambda: is_away(a), NEWS_S)


def test_a_device_that_dials_and_is_dialed_by_nobody_is_away_when_it_is_killed(
    stage: Stage,
) -> None:
    a, b = stage.actors
    without_address(a, b)
    a.start()
    b.start()
    tells(a, b, "first", DEADLINE_S)
    b.kill()
    assert wait_until(lambda: is_away(a), NEWS_S)
