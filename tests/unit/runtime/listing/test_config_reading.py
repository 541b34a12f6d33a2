"""Who reads peer.toml when, and who is told: a follower and a file that the test makes up."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from leftzmq.config import Config, DeviceConfig, Endpoint, PeerConfig
from leftzmq.errors import ConfigError
from leftzmq.pairing.learnt import Learnt
from leftzmq.runtime.event_log import EventLog, Teller
from leftzmq.runtime.listing.config_changes import ConfigChanges
from leftzmq.runtime.listing.config_follower import ConfigPlan
from leftzmq.runtime.listing.config_reading import ConfigReading
from leftzmq.runtime.listing.config_watch import ConfigWatch, FileStamp
from leftzmq.wire.local import Event

CONFIG = Config(Path("/peer.toml"), DeviceConfig("a", Path("/s"), Endpoint("127.0.0.1", 7700)), ())
ADDS = ConfigChanges(added=(PeerConfig("beta", None, b"b" * 32),))
TAKES = ConfigChanges(removed=(PeerConfig("gamma", None, b"c" * 32),), gone=("docs",))


class World:
    """did: what the follower was told to do, in order; finds: what follows from the file."""

    def __init__(self) -> None:
        self.did: list[object] = []
        self.events: list[Event] = []
        self.finds = ConfigChanges()
        self.wrong: ConfigError | None = None
        self.stamp: FileStamp | None = FileStamp(1, 1, 1)
        self.is_watched, self.now = True, 100.0
        follower: Any = self
        self.reading = ConfigReading(
            follower,
            ConfigWatch(lambda: self.stamp),
            lambda: self.is_watched,
            Teller(EventLog(0.0), self, self, lambda: 1.0, lambda: 2.0),
        )
        self.passes(5.0)
        self.takes()

    def saves(self, finds: ConfigChanges) -> None:
        assert self.stamp is not None
        self.stamp, self.finds = self.stamp._replace(mtime_ns=self.stamp.mtime_ns + 1), finds

    def passes(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.25
            self.reading.tick(self.now)

    def takes(self) -> list[object]:
        """Return what was done, and the sentences that were said, since the last time."""
        did = [*self.did, *(event.fields["text"] for event in self.events)]
        self.did, self.events = [], []
        return did

    # -- the follower

    def plan(self) -> ConfigPlan:
        if self.wrong is not None:
            raise self.wrong
        return ConfigPlan(CONFIG, Learnt(), CONFIG, self.finds)

    def carry_out(self, plan: ConfigPlan) -> None:
        self.did.append(plan.found)

    def read_again(self) -> None:
        self.did.append("read again")

    def reload(self) -> str:
        if self.wrong is not None:
            raise self.wrong
        self.did.append("reloaded")
        return "what changed"

    # -- the log and the monitors

    has_listeners = False

    def __call__(self, event: Event, now: float) -> None:
        self.events.append(event)

    def deadline(self) -> float | None:
        return None

    def tick(self, now: float) -> None: ...

    def tell(self, frames: Iterable[bytes]) -> None: ...


@pytest.fixture
def world() -> World:
    return World()


def test_what_the_watch_finds_is_taken_over(world: World) -> None:
    world.saves(ADDS)
    world.passes(30.0)
    assert world.takes() == [ADDS]


def test_what_would_take_something_away_is_said_at_once_and_done_later(world: World) -> None:
    world.saves(TAKES)
    world.passes(3.0)
    (said,) = world.takes()
    assert "peer gamma, folder docs" in str(said) and "in 10 s; `leftzmq reload` does" in str(said)
    world.passes(8.0)
    assert world.takes() == []
    world.passes(10.0)
    assert world.takes() == [TAKES]


def test_what_is_put_back_meanwhile_stays(world: World) -> None:
    world.saves(TAKES)
    world.passes(3.0)
    world.saves(ConfigChanges())
    world.passes(30.0)
    did = world.takes()
    assert did[0] == ConfigChanges() and TAKES not in did


@pytest.mark.parametrize("how", ["reload", "on_signal"])
def test_who_asks_meanwhile_has_it_at_once(world: World, how: str) -> None:
    world.saves(TAKES)
    world.passes(3.0)
    world.takes()
    getattr(world.reading, how)()
    world.passes(30.0)
    assert world.takes() == ["reloaded" if how == "reload" else "read again"]


def test_a_wrong_file_is_said_once_and_changes_nothing(world: World) -> None:
    world.wrong = ConfigError("is not TOML", "/peer.toml")
    world.saves(ADDS)
    world.passes(30.0)
    assert world.takes() == ["the peers and folders stay as they are: /peer.toml: is not TOML"]
    with pytest.raises(ConfigError):
        world.reading.reload()
    world.wrong = None
    world.saves(ADDS)
    world.passes(5.0)
    assert world.takes() == [ADDS]


def test_a_file_that_is_missing_for_long_is_said(world: World) -> None:
    world.stamp = None
    world.passes(9.0)
    assert world.takes() == []
    world.passes(5.0)
    (said,) = world.takes()
    assert str(said).startswith("peer.toml is not there for 10 s: the peers and folders stay")


def test_a_file_that_nobody_watches_is_read_when_somebody_asks(world: World) -> None:
    world.is_watched = False
    assert world.reading.deadline() is None
    world.saves(ADDS)
    world.passes(30.0)
    assert world.takes() == []
    world.is_watched = True
    assert world.reading.deadline() is not None
    world.passes(5.0)
    assert world.takes() == [ADDS]
