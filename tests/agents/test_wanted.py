"""Real agents: a device that keeps a part of a folder fetches more, and lets go of it."""

from __future__ import annotations

from leftzmq.cli.demo.stage import Stage
from tests.agents.test_ignoring import comes, configure, run, said, write


def test_only_get_and_drop_from_the_first_to_the_last(stage: Stage) -> None:
    a, b = stage.actors
    for path in ("near/1", "far/2", "far/3"):
        write(a, path, path)
    configure(b, 'only = ["near/"]\n')
    for actor in (a, b):
        actor.start()
    assert comes(b, "near/1", "near/1")
    code, text = run(a, "wait", "--timeout", "10")
    assert code == 0 and "B passes over 3 paths" in text, text
    assert not (b.share / "far").exists()

    assert run(b, "get", "far/2")[0] == 0
    assert comes(b, "far/2", "far/2") and not (b.share / "far/3").exists()
    assert run(b, "wait", "--path", "far/2", "--timeout", "10")[0] == 0

    b.stop()
    b.start()
    assert run(b, "wait", "--timeout", "10")[0] == 0, "A is connected"
    code, text = run(b, "drop", "far/2")
    assert code == 0 and "1 path let go" in text, text
    assert not (b.share / "far/2").exists() and (a.share / "far/2").exists()

    configure(b, "")
    assert run(b, "reload")[0] == 0
    assert comes(b, "far/3", "far/3") and not (b.share / "far/2").exists(), "that was dropped"
    assert said(b, "get", "far/2") == {"folder": "share", "path": "far/2"}
    assert comes(b, "far/2", "far/2")

    a.stop()
    code, text = run(b, "drop", "far")
    assert code == 1 and "no connected device that may write has it as it is here" in text, text
    assert (b.share / "far/2").exists()
    for words in (("drop",), ("drop", "far", "--outside-only"), ("get", "../x"), ("get", "/x/y")):
        code, text = run(b, *words)
        assert code != 0 and text.startswith("leftzmq: "), (words, text)
