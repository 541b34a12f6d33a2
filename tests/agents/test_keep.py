"""Real agents, and what a user does to get back what was taken away."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.sync.guard.threshold import ALLOWED_SHARE
from tests.helpers import processes

DEADLINE_S = 30.0


def leftzmq(actor: Actor, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "leftzmq.cli.admin", *arguments]
    command += ["-c", str(actor.home / "peer.toml")]
    return processes.run(command, capture_output=True, text=True, timeout=60)


def done(actor: Actor, *arguments: str) -> str:
    """What it prints; it must succeed."""
    ran = leftzmq(actor, *arguments)
    assert ran.returncode == 0 and ran.stderr == "", ran
    return ran.stdout


def refused(actor: Actor, *arguments: str, code: int = 1) -> str:
    """The sentence; it must fail."""
    ran = leftzmq(actor, *arguments)
    assert ran.returncode == code and "Traceback" not in ran.stderr, ran
    assert ran.stderr.startswith("leftzmq: ") and ran.stdout == "", ran
    return ran.stderr


def has(actor: Actor, path: str, data: bytes) -> bool:
    try:
        return (actor.share / path).read_bytes() == data
    except OSError:
        return False


def both(stage: Stage, path: str, data: bytes) -> bool:
    return all(has(actor, path, data) for actor in stage.actors)


def test_a_deleted_file_is_listed_and_restored_on_both_devices(stage: Stage) -> None:
    a, b = stage.actors
    a.start()
    b.start()
    name = "letters/имя \x1b[31m名.txt"
    (a.share / "letters").mkdir()
    (a.share / name).write_bytes(b"precious")
    assert wait_until(lambda: has(b, name, b"precious"), DEADLINE_S)
    (a.share / name).unlink()
    assert wait_until(lambda: not (b.share / name).exists(), DEADLINE_S)
    text = done(b, "trash", "list", "letters/")
    assert "letters/имя \\x1b[31m名.txt" in text and "8 B" in text and "\x1b" not in text
    (version,) = json.loads(done(b, "trash", "list", "--json"))
    assert version["path"] == name and version["taken"][:19].replace("T", " ") in text
    assert done(a, "trash", "list") == "the trash is empty\n"
    assert "is back" in done(b, "trash", "restore", name, "--when", version["taken"])
    assert wait_until(lambda: both(stage, name, b"precious"), DEADLINE_S)
    assert done(b, "trash", "list", name) == "nothing of it is in the trash\n"


def test_wrong_questions_about_the_trash(stage: Stage) -> None:
    a, b = stage.actors
    assert "no agent runs" in refused(b, "trash", "list")
    assert "no agent runs" in refused(b, "trash", "restore", "f")
    a.start()
    b.start()
    (a.share / "f").write_bytes(b"one")
    assert wait_until(lambda: has(b, "f", b"one"), DEADLINE_S)
    assert "f: nothing is in the trash under this path" in refused(b, "trash", "restore", "f")
    (a.share / "f").write_bytes(b"two")
    assert wait_until(lambda: has(b, "f", b"two"), DEADLINE_S)
    said = refused(b, "trash", "restore", "f")
    assert "f: something has that name already" in said and "--to" in said
    assert has(b, "f", b"two")
    for path in ("../f", "/f", ".left/marker", "a/../f", ""):
        assert "the share" in refused(b, "trash", "restore", path, code=2)
    assert "is not a time" in refused(b, "trash", "restore", "f", "--when", "yesterday", code=2)
    assert "there is share" in refused(b, "trash", "restore", "f", "--folder", "other")
    done(b, "trash", "restore", "f", "--to", "old/f")
    assert wait_until(lambda: has(a, "old/f", b"one"), DEADLINE_S)
    b.stop()
    b.share.rename(b.home / "unmounted")
    b.start()
    assert "the folder is stopped" in refused(b, "trash", "restore", "f")
    assert "the folder is stopped" in refused(b, "trash", "list")


def at_odds(stage: Stage, path: str) -> str:
    """Both write while they are apart; the copy, which holds what A wrote."""
    a, b = stage.actors
    a.start()
    (a.share / path).write_bytes(b"draft\nby a\t\x1b[31m\n")
    assert wait_until(lambda: a.status().get("files") == 1, DEADLINE_S)
    a.stop()
    b.start()
    (b.share / path).write_bytes(b"draft\nby b\n")
    assert wait_until(lambda: b.status().get("files") == 1, DEADLINE_S)
    a.start()
    assert wait_until(lambda: a.status().get("conflicts") == 1, DEADLINE_S)
    assert wait_until(lambda: b.status().get("conflicts") == 1, DEADLINE_S)
    (copy,) = b.status()["conflict_list"]
    return str(copy)


def test_a_conflict_is_listed_shown_and_resolved(stage: Stage) -> None:
    a, b = stage.actors
    copy = at_odds(stage, "letter.txt")
    listed = done(b, "conflicts", "list").splitlines()
    assert listed[1].split()[2] == "A" and listed[1].endswith(f"letter.txt  {copy}")
    (found,) = json.loads(done(b, "conflicts", "list", "--json"))
    assert (found["path"], found["copy"], found["device"]) == ("letter.txt", copy, "A")
    status = " ".join(done(b, "status").split())
    assert f"both versions were kept, A's as {copy}" in status
    shown = done(b, "conflicts", "show", "letter.txt")
    assert "-by b" in shown and "+by a\t\\x1b[31m" in shown and "\x1b" not in shown
    (_, version) = json.loads(done(b, "conflicts", "show", copy, "--json"))["versions"]
    assert version["is_text"] and "+by a" in version["diff"] and "text" not in version
    assert "is now what the copy was" in done(b, "conflicts", "resolve", copy, "--theirs")
    assert wait_until(lambda: both(stage, "letter.txt", b"draft\nby a\t\x1b[31m\n"), DEADLINE_S)
    assert wait_until(lambda: a.status().get("conflicts") == 0, DEADLINE_S)
    assert done(a, "conflicts", "list") == "there are no conflict copies\n"
    assert json.loads(done(b, "trash", "list", "letter.txt", "--json"))[0]["size"] == 11


def test_wrong_questions_about_conflicts(stage: Stage) -> None:
    a, b = stage.actors
    assert "no agent runs" in refused(a, "conflicts", "list")
    b.start()
    assert done(b, "conflicts", "list", "--json") == "[]\n"
    assert "there is no conflict copy of this path" in refused(b, "conflicts", "show", "f")
    assert "there is no conflict copy" in refused(b, "conflicts", "resolve", "f", "--both")
    for path in ("../f", "/f", ".left/trash"):
        assert "the share" in refused(b, "conflicts", "resolve", path, "--mine", code=2)
    for arguments in ([], ["--mine", "--both"], ["--ours"]):
        ran = leftzmq(b, "conflicts", "resolve", "f", *arguments)
        assert ran.returncode == 2 and "usage" in ran.stderr
    b.share.rename(b.home / "unmounted")
    assert "the share is missing" in refused(b, "trash", "list")
    assert "the folder is stopped" in refused(b, "conflicts", "list")


def filled(stage: Stage, count: int = 120) -> None:
    a, b = stage.actors
    a.start()
    b.start()
    (a.share / "d").mkdir()
    for number in range(count):
        (a.share / f"d/{number}").write_bytes(b"%d" % number)
    assert wait_until(lambda: b.status().get("files") == count, DEADLINE_S)


def held(actor: Actor) -> dict[str, int]:
    found: dict[str, int] = actor.status().get("held", {})
    return found


def flooded(actor: Actor) -> int:
    """Its user deletes `d`: how many files are held back. On a busy machine the agent looks while
    they go, and the first few, a tenth at most, are told at once (decision 3)."""
    before = actor.status()["files"]
    shutil.rmtree(actor.share / "d")
    left = sum(path.is_file() for path in actor.share.iterdir())

    def all_that_is_gone_is_held() -> bool:
        status = actor.status()
        return bool(status.get("held") == {"here": status["files"] - left})

    assert wait_until(all_that_is_gone_is_held, DEADLINE_S), actor.status()
    assert before - actor.status()["files"] <= before // ALLOWED_SHARE
    return held(actor)["here"]


def test_a_flood_of_deletes_waits_for_accept(stage: Stage) -> None:
    a, b = stage.actors
    filled(stage)
    (a.share / "kept").write_bytes(b"x")
    assert wait_until(lambda: has(b, "kept", b"x"), DEADLINE_S)
    count = flooded(a)
    held_back = f"{count} of 121 files, lost here, are held back"
    assert wait_until(lambda: held_back in a.log_tail(200), DEADLINE_S)
    text = done(a, "status")
    assert f"`leftzmq revert` ({count} of 121 files, lost here)" in " ".join(text.split())
    waited = leftzmq(a, "wait", "--timeout", "1")
    assert waited.returncode == 3 and "holds losses back" in waited.stderr
    assert wait_until(lambda: b.status().get("files") == count + 1, DEADLINE_S)
    a.stop()
    a.start()
    assert wait_until(lambda: held(a) == {"here": count}, DEADLINE_S)
    assert b.status()["files"] == count + 1, "what is held is not told"
    assert f"{count} files, lost here: the other devices are told" in done(a, "accept")
    assert wait_until(lambda: b.status().get("files") == 1, DEADLINE_S)
    # A file may have been seen between its making and its first byte: then it is there twice.
    taken = json.loads(done(b, "trash", "list", "--json"))
    assert len({one["path"] for one in taken}) == 120
    assert leftzmq(a, "wait", "--timeout", "20").returncode == 0


def test_a_flood_of_deletes_is_reverted(stage: Stage) -> None:
    a, b = stage.actors
    filled(stage)
    count = flooded(a)
    assert "come back from the devices" in done(a, "revert")
    assert wait_until(lambda: len(list((a.share / "d").glob("*"))) == count, DEADLINE_S)
    assert leftzmq(a, "wait", "--timeout", "20").returncode == 0
    again = flooded(a)
    assert json.loads(done(a, "accept", "--folder", "share", "--json"))["held"] == {"here": again}
    assert wait_until(lambda: b.status().get("files") == 0, DEADLINE_S), "it is told with it"
    assert held(b) == {}


def test_wrong_decisions(stage: Stage) -> None:
    a, b = stage.actors
    for verb in ("accept", "revert"):
        assert "no agent runs" in refused(a, verb)
    a.start()
    for verb in ("accept", "revert"):
        assert "share: nothing is held back in this folder" in refused(a, verb)
        assert "there is share" in refused(a, verb, "../share")
    b.start()
    b.share.rename(b.home / "unmounted")
    assert "the share is missing" in refused(b, "trash", "list")
    assert "the folder is stopped" in refused(b, "accept")
