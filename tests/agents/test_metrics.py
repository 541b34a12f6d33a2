"""`metrics` of real agents: what two devices count of three files, and of what happens to them."""

from __future__ import annotations

import os
import random
import time

from prometheus_client.parser import text_string_to_metric_families

from leftzmq import __version__
from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.transport.ipc.client import ask
from leftzmq.web.exposition import exposition
from leftzmq.wire.answers.metrics import MetricsShown

DEADLINE_S = 30.0
SMALL, LARGE = b"12345", random.Random(7).randbytes(9_000_000)
SIZE = 2 * len(SMALL) + len(LARGE)
Labels = tuple[tuple[str, str], ...]


def figures(actor: Actor) -> dict[tuple[str, Labels], float]:
    """What Prometheus would read of this agent: (name, labels without that of the folder) ->
    figure."""
    shown = MetricsShown.of(ask(actor.state, "metrics", timeout_s=DEADLINE_S))
    found: dict[tuple[str, Labels], float] = {}
    for family in text_string_to_metric_families(exposition(shown).decode()):
        for sample in family.samples:
            labels = {name: text for name, text in sample.labels.items() if name != "folder"}
            key = (sample.name.removeprefix("leftzmq_"), tuple(sorted(labels.items())))
            assert key not in found, "there is one folder"
            found[key] = sample.value
    return found


def figure(actor: Actor, name: str, **labels: str) -> float:
    return figures(actor)[name, tuple(sorted(labels.items()))]


def becomes(actor: Actor, expected: float, name: str, **labels: str) -> bool:
    return wait_until(lambda: figure(actor, name, **labels) == expected, DEADLINE_S)


def test_what_two_agents_count_of_three_files(stage: Stage) -> None:
    a, b = stage.actors
    started = time.time()
    (a.share / "d").mkdir(parents=True, exist_ok=True)
    (a.share / "d" / "small").write_bytes(SMALL)
    (a.share / "large").write_bytes(LARGE)
    a.start()
    b.start()
    assert becomes(b, 2, "files") and becomes(b, 0, "tickets")
    (a.share / "again").write_bytes(SMALL)  # B has these bytes already
    for actor, other in ((a, "B"), (b, "A")):
        assert becomes(actor, 3, "files")
        assert becomes(actor, 0, "peer_pending_paths", peer=other)
        assert becomes(actor, 1, "folder_state", kind="idle")
        found = figures(actor)
        assert found["file_bytes", ()] == SIZE
        for name in ("tickets", "pending_bytes", "oldest_pending_seconds", "conflicts"):
            assert found[name, ()] == 0
        for name in ("peer_pending_bytes", "peer_oldest_pending_seconds", "peer_coming_paths"):
            assert found[name, (("peer", other),)] == 0
        assert found["peer_connected", (("peer", other),)] == 1
        assert found["build_info", (("version", __version__),)] == found["up", ()] == 1
        assert started - 1 < found["start_time_seconds", ()] < time.time()
        assert found["turns_total", ()] > 10 and 0 < found["longest_turn_seconds", ()] < 10
        assert found["index_bytes", ()] > 0 and found["index_log_bytes", ()] > 0
        descriptors = len(os.listdir(f"/proc/{actor.pid}/fd"))
        assert abs(found["open_descriptors", ()] - descriptors) <= 5
        assert found["scans_total", ()] >= 1 and found["trash_files", ()] == 0
        assert not any(value for (name, _), value in found.items() if name == "problems")
        assert found["refused_strangers_total", ()] == 0
    ours, theirs = figures(a), figures(b)
    # A file that was written a moment before is read once more.
    assert 3 <= ours["hashed_files_total", ()] <= 6
    assert SIZE <= ours["hashed_bytes_total", ()] <= 2 * SIZE
    assert 0 < ours["hash_seconds_total", ()] < DEADLINE_S
    assert theirs["hashed_bytes_total", ()] == 0, "what came was checked, and not scanned"
    sent = ours["sent_bytes_total", (("peer", "B"),)]
    assert sent == theirs["received_bytes_total", (("peer", "A"),)]
    assert SIZE - len(SMALL) < sent < SIZE * 1.01
    assert ours["received_bytes_total", (("peer", "B"),)] == 0
    assert (ours["home_bytes_total", ()], theirs["home_bytes_total", ()]) == (0, len(SMALL))


def test_what_waits_for_a_device_that_is_away(stage: Stage) -> None:
    a, b = stage.actors
    b.start()
    a.start()  # so it dials the other one at once, and sees that link break
    (a.share / "one").write_bytes(SMALL)
    assert becomes(b, 1, "files") and becomes(a, 0, "peer_pending_paths", peer="B")
    b.kill()
    (a.share / "two").write_bytes(SMALL)
    began = time.monotonic()
    assert becomes(a, 1, "peer_pending_paths", peer="B")
    assert becomes(a, 0, "peer_connected", peer="B")
    assert figure(a, "peer_pending_bytes", peer="B") == len(SMALL)
    ages = []
    for _ in range(3):
        ages.append(figure(a, "peer_oldest_pending_seconds", peer="B"))
        time.sleep(0.5)
    assert ages == sorted(ages) and ages[2] >= ages[0] + 1.0
    assert ages[2] <= time.monotonic() - began + 2.0
