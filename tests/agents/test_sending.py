"""Real agents: a folder that only sends, and override."""

from __future__ import annotations

from pathlib import Path

from leftzmq.cli.demo.stage import Stage, wait_until
from tests.agents.test_ignoring import comes, configure, run, said, write

DEADLINE_S = 30.0


def test_a_folder_sends_takes_nothing_and_is_everybodys_at_last(stage: Stage) -> None:
    a, b = stage.actors

    def differs(count: int) -> bool:
        return wait_until(lambda: a.status().get("differs") == count, DEADLINE_S)

    write(a, "f", "of a")
    configure(a, 'mode = "send"\n')
    for actor in (a, b):
        actor.start()
    assert comes(b, "f", "of a")
    write(b, "f", "of b")
    write(b, "new", "of b")
    assert differs(2), a.status()
    text = " ".join(run(a, "status")[1].split())
    assert "share: only sends: 2 paths changed by others, not taken" in text
    for actor in (a, b):
        assert run(actor, "wait", "--timeout", "10")[0] == 0
    assert (a.share / "f").read_text() == "of a" and not (a.share / "new").exists()

    a.stop()
    a.start()
    assert differs(2), a.status()
    code, text = run(a, "override")
    assert code == 2 and "say --yes" in text and "  f\n  new\n" in text, text
    assert said(a, "override")["first"] == ["f", "new"]
    assert (b.share / "f").read_text() == "of b", "to list them changes nothing"
    code, text = run(a, "override", "--yes", "f")
    assert code == 0 and "1 path: what is here is everybody's now" in text, text
    assert comes(b, "f", "of a") and differs(1)
    assert run(a, "override", "--yes")[0] == 0
    assert wait_until(lambda: not (b.share / "new").exists(), DEADLINE_S)
    assert differs(0)
    for words in (("override",), ("override", "../f"), ("override", "--folder", "nope")):
        code, text = run(a, *words)
        assert code != 0 and text.startswith("leftzmq: "), (words, text)
    code, text = run(b, "override", "--yes")
    assert code == 1 and "does not only send" in text, text


def test_a_folder_that_was_shared_is_set_by_a_command(stage: Stage, tmp_path: Path) -> None:
    a, _ = stage.actors
    a.start()
    shared = said(a, "folders", "add", str(tmp_path / "music"), "--folder", "music")
    assert shared["folder"] == "music"
    code, text = run(a, "folders", "set", "music", "mode=send", "ignore=*.iso", "ignore=/x/")
    assert code == 0 and 'music: ignore = ["*.iso", "/x/"]; mode = "send"' in text, text

    def mode() -> str:
        (music,) = [one for one in said(a, "status")["folders"] if one["id"] == "music"]
        return str(music["mode"])

    assert wait_until(lambda: mode() == "send", DEADLINE_S)
    (tmp_path / "music/a.iso").write_text("1")
    code, text = run(a, "ignored", "a.iso", "--folder", "music")
    assert code == 0 and "*.iso" in text, text
    a.stop()
    a.start()
    assert mode() == "send"
    assert run(a, "folders", "set", "music", "mode=")[0] == 0
    assert wait_until(lambda: mode() == "both", DEADLINE_S)
    for words in (("music", "mode=take"), ("music", "mode"), ("share", "mode=send"), ("no", "x=1")):
        code, text = run(a, "folders", "set", *words)
        assert code != 0 and text.startswith("leftzmq: "), (words, text)


def test_what_it_lost_comes_back_when_its_user_says_so(stage: Stage) -> None:
    a, b = stage.actors
    for number in range(120):
        write(a, f"f{number}", str(number))
    configure(a, 'mode = "send"\n')
    for actor in (a, b):
        actor.start()
    assert comes(b, "f119", "119") and run(a, "wait", "--timeout", "30")[0] == 0
    for number in range(120):
        (a.share / f"f{number}").unlink(missing_ok=True)
    assert wait_until(lambda: "held back" in run(a, "status")[1].replace("\n", " "), 60.0)
    assert run(a, "revert")[0] == 0
    # Up to a tenth goes before it is a wave.
    assert wait_until(lambda: len(list(a.share.glob("f*"))) >= 108, DEADLINE_S)
    names = {path.name for path in b.share.glob("f*")}
    assert wait_until(lambda: {path.name for path in a.share.glob("f*")} == names, DEADLINE_S)

    write(b, "new", "of B")
    assert run(b, "wait", "--timeout", "30")[0] == 0 and not (a.share / "new").exists()
    assert run(a, "get", "new")[0] == 0 and comes(a, "new", "of B")
    some = min(names)
    assert run(a, "drop", some)[0] == 0 and not (a.share / some).exists()
    assert run(a, "get", some)[0] == 0 and comes(a, some, some[1:])
