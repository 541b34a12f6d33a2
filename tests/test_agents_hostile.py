"""A real agent among devices that lie, babble, keep silent or speak another version.

Each test reads what a user would read (the log, `status`), and looks whether the agent lives on
and nothing was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from stranger import Stranger, strangers

from leftzmq.cli.story import Actor, Stage, wait_until
from leftzmq.errors import Refusal
from leftzmq.statedir import read_secret
from leftzmq.wire.messages import VERSION, Refusing

DEADLINE_S = 30.0


class Scene:
    """A stage whose first actors run agents; the others are strangers, in the order of names."""

    def __init__(self, home: Path) -> None:
        self._home, self._exits = home, ExitStack()

    def set(self, agents: str, others: int) -> tuple[list[Actor], list[Stranger]]:
        """Agents by their letters, and so many strangers: every agent has everyone as a peer."""
        names = [*agents, *(f"M{n}" for n in range(others))]
        self.stage = self._exits.enter_context(Stage(names, self._home))  # type: ignore[arg-type]
        actors = self.stage.actors[: len(agents)]
        secret = read_secret(self.stage.home / "share.secret")
        made = strangers(self.stage.actors[len(agents) :], secret)
        self.strangers = self._exits.enter_context(made)
        return actors, self.strangers

    def turn(self) -> None:
        for stranger in self.strangers:
            stranger.turn()

    def until(self, holds: Callable[[], object], within_s: float = DEADLINE_S) -> bool:
        """Give the strangers their turns until it holds."""
        return wait_until(holds, within_s, self.turn, 0.01)

    def close(self) -> None:
        for actor in self.stage.actors:
            if actor.log_tail():
                print(f"--- log of {actor.name}\n{actor.log_tail(80)}")
        self._exits.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path / "stage")
    yield scene
    scene.close()


def has(actor: Actor, path: str, data: bytes) -> bool:
    try:
        return (actor.share / path).read_bytes() == data
    except OSError:
        return False


def files(actor: Actor) -> dict[str, bytes]:
    """All files in its share but for our own folder."""
    found = [path for path in actor.share.rglob("*") if path.is_file()]
    paths = {str(path.relative_to(actor.share)): path for path in found}
    return {path: paths[path].read_bytes() for path in paths if not path.startswith(".left/")}


def notes(actor: Actor) -> dict[str, str]:
    """What `status` notes about each peer."""
    return {peer["name"]: peer["note"] for peer in actor.status()["peers"]}


def says(actor: Actor, *words: str) -> bool:
    """Whether one line of its log has all these words."""
    return any(all(word in line for word in words) for line in actor.log_tail(500).splitlines())


def test_a_device_made_by_hand_is_a_peer_like_any_other(scene: Scene) -> None:
    (a,), (m,) = scene.set("A", 1)
    large = bytes(range(256)) * 4000
    m.offer(m.file("small", b"from a stranger"), m.file("large", large))
    a.start()
    assert scene.until(lambda: has(a, "small", b"from a stranger") and has(a, "large", large))
    m.offer(m.file("later", b"as news"))
    assert scene.until(lambda: has(a, "later", b"as news"))


# -- another version, an unknown key -------------------------------------------------------------


def test_a_device_of_another_version_is_named_by_both_sides(scene: Scene) -> None:
    (a,), (dials, listens) = scene.set("A", 2)
    dials.version = listens.version = VERSION + 1
    dials.offer(dials.file("one", b"1"))
    listens.offer(listens.file("two", b"2"))
    a.start()
    dials.dial(a)
    both = f"it speaks {VERSION + 1}, this device speaks {VERSION}"
    assert scene.until(lambda: says(a, "M0", Refusal.OTHER_VERSION.value, both))
    told = Refusing(VERSION, "OTHER_VERSION", both)
    assert scene.until(lambda: told in dials.heard), "the other one cannot know otherwise"
    assert scene.until(lambda: says(a, "M1", Refusal.OTHER_VERSION.value, both))
    assert a.status()["state"] == "idle" and files(a) == {}
    assert all(both in note for note in notes(a).values())
    dials.version = VERSION
    dials.dial(a)
    assert scene.until(lambda: has(a, "one", b"1")), "heard as soon as it speaks ours"
    assert notes(a)["M0"] == ""
    for name in ("M0", "M1"):
        assert a.log_tail(500).count(f"{name}: ") == 1, "once, not in a flood"
