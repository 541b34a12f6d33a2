"""Real agents: a folder that only receives, live and after a restart."""

from __future__ import annotations

from leftzmq.cli.demo.stage import Stage, wait_until
from tests.agents.test_ignoring import comes, configure, run, write

DEADLINE_S = 30.0


def test_a_folder_receives_keeps_its_changes_to_itself_and_tells_them_at_last(
    stage: Stage,
) -> None:
    a, b = stage.actors

    def differs(count: int) -> bool:
        return wait_until(lambda: b.status().get("differs") == count, DEADLINE_S)

    write(a, "f", "of a")
    write(a, "gone", "of a")
    configure(b, 'mode = "receive"\n')
    for actor in (a, b):
        actor.start()
    assert comes(b, "f", "of a") and comes(b, "gone", "of a")
    write(b, "f", "of b")
    write(b, "new", "new of b")
    (b.share / "gone").unlink()
    assert differs(3), b.status()
    code, text = run(b, "status")
    text = " ".join(text.split())
    assert "share: only receives: 3 paths changed here, told to nobody: f, gone, new" in text
    assert run(b, "wait", "--timeout", "10")[0] == 0
    code, text = run(a, "wait", "--timeout", "10")
    assert code == 0 and "B" in text, text
    assert not (a.share / "new").exists() and (a.share / "f").read_text() == "of a"

    write(a, "f", "later of a")
    assert comes(b, "f", "later of a")
    assert wait_until(lambda: any(b.share.glob("*.conflict-*")), DEADLINE_S)
    (copy,) = [path.name for path in b.share.glob("*.conflict-*")]
    assert (b.share / copy).read_text() == "of b" and not (a.share / copy).exists()

    b.stop()
    b.start()
    assert differs(3), b.status()
    code, text = run(b, "revert", "--path", "gone")
    assert code == 0 and "1 path changed here" in text, text
    assert comes(b, "gone", "of a")
    assert run(b, "revert", "--path", "gone")[0] == 1, "nothing was changed there"
    configure(b, "")
    assert run(b, "reload")[0] == 0
    assert comes(a, "new", "new of b") and comes(a, copy, "of b")
    assert b.status()["mode"] == "both" and differs(0)

    configure(b, 'mode = "take"\n')
    _, text = run(b, "reload")
    assert "mode: is 'take' (write mode = " in text, text
