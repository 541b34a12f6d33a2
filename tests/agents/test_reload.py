"""peer.toml is edited while real agents run, and read again: by `leftzmq reload`, SIGHUP, or the
watch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.statedir import index_file, make_secret
from leftzmq.transport.ipc.client import ask
from tests.helpers import processes

DEADLINE_S = 20.0


def soon(what: Any, within_s: float = DEADLINE_S) -> None:
    assert wait_until(what, within_s)


def config(actor: Actor) -> Path:
    return actor.home / "peer.toml"


def run(actor: Actor, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "leftzmq.cli.admin", *words, "-c", str(config(actor))]
    done = processes.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def reloads(actor: Actor, text: str) -> dict[str, Any]:
    config(actor).write_text(text)
    code, said = run(actor, "reload", "--json")
    assert code == 0, said
    answer: dict[str, Any] = json.loads(said)
    return {key: value for key, value in answer.items() if value and key != "file"}


def folder(id: str, path: str, secret: str = "") -> str:
    secret = secret or f"{id}.secret"
    return f'\n[[folder]]\nid = "{id}"\npath = "{path}"\nsecret = "{secret}"\n'


def folders(actor: Actor) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in ask(actor.state, "status")["folders"]}


def is_in_sync(giver: Actor, taker: Actor, path: str, place: str = "share") -> bool:
    """Whether what the one writes now is soon at the other one."""
    data = os.urandom(5000)
    (giver.home / place / path).write_bytes(data)
    there = taker.home / place / path
    return wait_until(lambda: there.exists() and there.read_bytes() == data, DEADLINE_S)


def test_what_is_reloaded_is_told_and_used(stage: Stage) -> None:
    a, b = stage.actors
    whole = {actor.name: config(actor).read_text() for actor in (a, b)}
    for actor in (a, b):
        make_secret(actor.home / "../more.secret")
        actor.start()
    assert is_in_sync(a, b, "before")
    assert run(a, "reload") == (0, f"{config(a)}: nothing changed\n")
    more = folder("more", "more", "../more.secret")
    for actor in (a, b):
        assert reloads(actor, whole[actor.name] + more) == {"folders_added": ["more"]}
    soon(lambda: folders(a)["more"]["state"] == folders(b)["more"]["state"] == "idle")
    assert is_in_sync(a, b, "new", "more")
    alone = whole["A"].split("[[peer]]")[0]
    assert reloads(a, alone + more) == {"peers_removed": ["B"]}
    assert reloads(a, whole["A"] + more) == {"peers_added": ["B"]}
    assert is_in_sync(b, a, "back", "more")


def test_a_file_that_is_wrong_is_a_sentence_with_its_line_and_changes_nothing(
    stage: Stage,
) -> None:
    a, b = stage.actors
    whole = config(a).read_text()
    a.start()
    b.start()
    assert is_in_sync(a, b, "before")
    config(a).write_text(whole.split("[[peer]]")[0] + '[[peer]\nname = "x"\n')
    code, said = run(a, "reload", "--json")
    assert code == 2 and f"{config(a)}: is not TOML: " in said and "(at line " in said
    assert run(b, "reload", "-c", str(config(b)))[0] == 0
    assert is_in_sync(b, a, "after")


def stopped(actor: Actor, id: str) -> str:
    """Return why `status` says that a folder is stopped; "" if it is not."""
    found = folders(actor)[id]
    return str(found["why"]) if found["state"] == "stopped" else ""


def unusable(answer: dict[str, Any]) -> dict[str, str]:
    return {each["folder"]: each["why"] for each in answer["unusable"]}


def test_a_folder_that_is_taken_out_while_it_syncs_goes_and_comes_back_as_it_was(
    stage: Stage,
) -> None:
    a, b = stage.actors
    whole = {actor.name: config(actor).read_text() for actor in (a, b)}
    make_secret(stage.home / "more.secret")
    for actor in (a, b):
        config(actor).write_text(whole[actor.name] + folder("more", "more", "../more.secret"))
        actor.start()
    assert is_in_sync(a, b, "old") and is_in_sync(a, b, "new", "more")
    large = os.urandom(150 << 20)
    (a.share / "large").write_bytes(large)
    soon(lambda: folders(b)["share"]["arriving"])
    text = config(b).read_text()
    (index,) = b.state.glob(f"{index_file(b.state, 'share').name}")
    entry = text[text.index("[[folder]]") : text.index("[[peer]]")]
    assert reloads(b, text.replace(entry, "")) == {"folders_removed": ["share"]}
    soon(lambda: list(folders(b)) == ["more"])
    assert (b.share / "old").exists() and index.exists()
    assert (b.home / "../share.secret").exists()
    assert is_in_sync(a, b, "goes on", "more")
    assert not (b.share / "large").exists()
    assert reloads(b, text) == {"folders_added": ["share"]}
    soon(lambda: (b.share / "large").exists() and (b.share / "large").read_bytes() == large)
    assert is_in_sync(b, a, "back")


MISTAKES = {
    "inside": (folder("inside", "share/inside"), "is inside"),
    "around": (folder("around", "."), "state is inside the share"),
    "told": (folder("told", "told", "share/bad.secret"), "is inside the share"),
    "nowhere": (folder("nowhere", "nowhere", "/proc/self/x/bad.secret"), "cannot be made: "),
    "typing": (folder("typing", "typing") + "trash_day = 3\n", "is not known (did you mean"),
    "cut": (folder("cut", "cut", "short.secret"), "64 hex digits are wanted, 4 were found"),
    "twice": (folder("twice", "twice", "../share.secret"), "is the same as that of"),
}


def test_folders_with_a_mistake_stop_nothing_else(stage: Stage) -> None:
    a, b = stage.actors
    (a.home / "short.secret").write_text("abcd")
    (a.home / "short.secret").chmod(0o600)
    head, *peers = config(a).read_text().split("[[peer]]")
    wrong = "".join(entry for entry, _ in MISTAKES.values())
    text = "[[peer]]".join((head + wrong, *peers))
    config(a).write_text(text)
    for actor in (a, b):  # at a start
        actor.start()
    for name, (_, why) in MISTAKES.items():
        assert why in stopped(a, name)
    assert is_in_sync(a, b, "one")
    assert set(unusable(reloads(a, text))) == set(MISTAKES)
    reloads(a, text.replace(wrong, ""))
    assert not set(MISTAKES) & set(folders(a))
    answer = reloads(a, text)
    assert set(answer) == {"unusable"} and set(unusable(answer)) == set(MISTAKES)
    _, said = run(a, "status")
    for name, (_, why) in MISTAKES.items():
        assert why in unusable(answer)[name] and why in stopped(a, name)
        # A line may end anywhere in a long path.
        assert name in said and "".join(why.split()) in "".join(said.split())
    assert is_in_sync(b, a, "two")
    for name, (entry, _) in MISTAKES.items():
        text = text.replace(entry, folder(name, f"good {name}"))
        reloads(a, text)
        soon(lambda name=name: folders(a)[name]["state"] in ("idle", "alone"))  # type: ignore[misc]
    assert is_in_sync(a, b, "three")


def test_a_share_that_cannot_be_made_is_a_stopped_folder(stage: Stage) -> None:
    a, b = stage.actors
    (a.home / "file").write_text("a file")
    a.start()
    b.start()
    text = config(a).read_text()
    assert reloads(a, text + folder("bad", "file/in")) == {"folders_added": ["bad"]}
    soon(lambda: "file/in" in stopped(a, "bad"))
    assert is_in_sync(a, b, "one")
    (a.home / "file").unlink()
    soon(lambda: not stopped(a, "bad"))


def test_a_secret_that_is_missing_stops_its_folder_until_it_is_back(stage: Stage) -> None:
    a, b = stage.actors
    text = config(a).read_text() + folder("more", "more")
    config(a).write_text(text)
    a.start()
    b.start()
    soon(lambda: folders(a)["more"]["state"] in ("idle", "alone"))
    a.stop()
    (a.home / "more.secret").rename(a.home / "kept")
    a.start()
    assert "more.secret: there is no such file" in stopped(a, "more")
    assert is_in_sync(a, b, "one")
    assert run(a, "problems", "--folder", "more")[0] == 1
    code, said = run(a, "wait", "--timeout", "1")
    assert code == 3 and "folder more is stopped: " in said
    (a.home / "kept").rename(a.home / "more.secret")
    assert reloads(a, text) == {"folders_added": ["more"]}
    soon(lambda: folders(a)["more"]["state"] in ("idle", "alone"))


def test_a_folder_of_another_id_is_another_one_and_needs_the_old_marker_gone(stage: Stage) -> None:
    a, b = stage.actors
    a.start()
    b.start()
    assert is_in_sync(a, b, "one")
    text = config(a).read_text()
    other = text.replace('id     = "share"', 'id     = "other"')
    assert reloads(a, other) == {"folders_added": ["other"], "folders_removed": ["share"]}
    soon(lambda: list(folders(a)) == ["other"] and "'share', not of 'other'" in stopped(a, "other"))
    assert (a.share / "one").exists()
    assert reloads(a, text) == {"folders_added": ["share"], "folders_removed": ["other"]}
    assert is_in_sync(a, b, "two")


def test_a_share_that_was_moved_goes_on_in_its_new_place(stage: Stage) -> None:
    a, b = stage.actors
    a.start()
    b.start()
    assert is_in_sync(a, b, "one")
    text = config(a).read_text()
    a.share.rename(a.home / "moved")
    moved = text.replace('path   = "share"', 'path   = "moved"')
    assert reloads(a, moved) == {"folders_changed": ["share"]}
    data = os.urandom(5000)
    soon(lambda: folders(a)["share"]["state"] == "idle")
    (a.home / "moved" / "two").write_bytes(data)
    soon(lambda: (b.share / "two").exists() and (b.share / "two").read_bytes() == data)
    assert not a.share.exists()


# -- the watch ------------------------------------------------------------------------------------


def watched(actor: Actor) -> str:
    text = config(actor).read_text().replace("[device]\n", "[device]\nwatch_config = true\n")
    config(actor).write_text(text)
    return text


def replaces(actor: Actor, text: str) -> None:
    """As an editor saves that writes elsewhere and renames."""
    new = actor.home / "peer.toml.swp"
    new.write_text(text)
    new.replace(config(actor))


def writes_in_parts(actor: Actor, text: str) -> None:
    """As an editor saves that empties the file, and writes it in parts, a second long."""
    with config(actor).open("w") as file:
        for at in range(0, len(text), len(text) // 8):
            file.write(text[at : at + len(text) // 8])
            file.flush()
            time.sleep(0.15)


@pytest.mark.parametrize("save", [replaces, writes_in_parts])
def test_a_watched_file_is_read_when_it_is_whole(
    stage: Stage, save: Callable[[Actor, str], None]
) -> None:
    a, b = stage.actors
    text = watched(a)
    a.start()
    b.start()
    assert is_in_sync(a, b, "one")
    save(a, text + folder("more", "more"))
    soon(lambda: "more" in folders(a), 8.0)
    save(a, text + folder("more", "more", "more.secret") + folder("third", "third"))
    soon(lambda: "third" in folders(a), 8.0)
    log = a.log_tail(200)
    assert "stay as they are" not in log and "has no more" not in log
    assert is_in_sync(b, a, "two")


@pytest.mark.long
def test_what_a_watched_file_takes_away_waits_and_can_be_kept_or_had_at_once(
    stage: Stage,
) -> None:
    a, b = stage.actors
    text = watched(a) + folder("more", "more")
    config(a).write_text(text)
    a.start()
    b.start()
    assert is_in_sync(a, b, "one")
    without = text.replace(folder("more", "more"), "")
    for back in (True, False):
        said = a.log_tail(200).count("peer.toml has no more, or otherwise: folder more")
        replaces(a, without)
        soon(lambda said=said: a.log_tail(200).count("otherwise: folder more") > said, 8.0)
        assert "more" in folders(a)
        if back:
            replaces(a, text)
            assert not wait_until(lambda: "more" not in folders(a), 14.0)
    began = time.monotonic()
    soon(lambda: "more" not in folders(a), 14.0)
    assert time.monotonic() - began > 5.0 and (a.home / "more/.left/marker").exists()
    replaces(a, text)
    soon(lambda: "more" in folders(a), 8.0)
    alone = text.split("[[peer]]")[0] + folder("more", "more")
    assert reloads(a, alone) == {"peers_removed": ["B"]}


@pytest.mark.long
def test_a_watched_file_that_is_wrong_or_missing_changes_nothing(stage: Stage) -> None:
    a, b = stage.actors
    text = watched(a)
    a.start()
    b.start()
    assert is_in_sync(a, b, "one")
    replaces(a, text + "[[peer\n")
    soon(lambda: "the peers and folders stay as they are: " in a.log_tail(200), 8.0)
    config(a).unlink()
    soon(lambda: "peer.toml is not there for 10 s" in a.log_tail(200), 16.0)
    assert is_in_sync(b, a, "two")
    replaces(a, text + folder("more", "more"))
    soon(lambda: "more" in folders(a), 8.0)
