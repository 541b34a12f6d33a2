"""Real agents: what is ignored goes nowhere, and comes when the rule goes. `leftzmq ignored` names
the rule."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from tests.helpers import processes

DEADLINE_S = 20.0
MODULE = "web/node_modules/deep/x.js"


def run(actor: Actor, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "leftzmq.cli.admin", *words]
    command += ["-c", str(actor.home / "peer.toml")]
    done = processes.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    assert "Traceback" not in done.stdout, done.stdout
    return done.returncode, done.stdout


def said(actor: Actor, *words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(actor, *words, "--json")[1])
    return answer


def write(actor: Actor, path: str, text: str) -> None:
    target = actor.share / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def comes(actor: Actor, path: str, text: str) -> bool:
    target = actor.share / path
    return wait_until(lambda: target.exists() and target.read_text() == text, DEADLINE_S)


def configure(actor: Actor, text: str) -> None:
    """These are the keys of the actor's folder besides those that every folder has."""
    file = actor.home / "peer.toml"
    before, _, rest = file.read_text().partition('secret = "../share.secret"\n')
    _, peer, rest = rest.partition("\n[[peer]]")
    file.write_text(f'{before}secret = "../share.secret"\n{text}{peer}{rest}')


def test_rules_of_the_folder_and_of_one_device_from_the_first_to_the_last(stage: Stage) -> None:
    a, b = stage.actors
    write(a, MODULE, "x")
    write(a, "web/.leftignore", "# not ours\nnode_modules/\n")
    write(a, "web/main.js", "main")
    for actor in (a, b):
        actor.start()
    assert comes(b, "web/main.js", "main")
    assert run(a, "wait", "--timeout", "10") == (0, "")
    assert not (b.share / "web/node_modules").exists()
    why = "ignored: line 2 of web/.leftignore says node_modules/ (it matches web/node_modules)\n"
    for actor in (a, b):
        assert run(actor, "ignored", f"./{MODULE}") == (0, f"{MODULE} is {why}")
    assert run(a, "ignored", "web/main.js") == (1, "web/main.js is not ignored\n")

    write(a, "web/.leftignore", "# all of it is ours\n")
    assert comes(b, MODULE, "x"), "the rule went"

    configure(b, 'ignore = ["*.iso", "[open"]\nlitter = false\n')
    keys = ["[[folder]] share ignore", "[[folder]] share litter"]
    assert said(b, "reload")["used"] == keys
    write(a, "disk.iso", "large")
    write(a, "after", "1")
    write(b, ".text.swp", "unsaved")
    write(b, "behind", "2")
    assert comes(b, "after", "1") and comes(a, "behind", "2")
    for actor, path in ((a, "after"), (b, "behind")):
        assert run(actor, "wait", "--timeout", "10", "--path", path)[0] == 0
    assert not (b.share / "disk.iso").exists() and not (a.share / ".text.swp").exists()
    rule = "disk.iso is ignored: rule 1 of `ignore` in peer.toml says *.iso\n"
    assert run(b, "ignored", "disk.iso") == (0, rule)
    assert run(a, "ignored", "disk.iso")[0] == run(b, "ignored", ".text.swp")[0] == 1
    assert "the built-in list has .*.sw[a-p]" in run(a, "ignored", ".text.swp")[1]
    assert "rule 2: '[open': the bracket is never closed" in run(b, "problems")[1]
    assert run(b, "check")[0] == 2
    rules = said(b, "ignored")
    assert [file["path"] for file in rules["files"]] == ["web/.leftignore"]
    assert rules["local"] == [{"number": 1, "rule": "*.iso"}] and not rules["litter"]
    assert (rules["not_kept"], rules["withdrawn"]) == (1, 0)

    b.kill()
    b.start()
    assert run(b, "ignored", "disk.iso") == (0, rule)
    assert said(b, "ignored")["not_kept"] == 1
    assert not (b.share / "disk.iso").exists() and not (a.share / ".text.swp").exists()
    b.stop()
    configure(b, "")
    b.start()
    assert comes(b, "disk.iso", "large")
    assert run(b, "ignored", "disk.iso") == (1, "disk.iso is not ignored\n")


def test_a_question_that_is_wrong_is_answered_with_what_is_wrong(stage: Stage) -> None:
    a, _ = stage.actors
    code, text = run(a, "ignored", "x")
    assert code == 1 and "no agent" in text
    a.start()
    code, text = run(a, "ignored", "../x")
    assert code == 2 and "../x: the path has an empty, '.' or '..' component" in text
    assert run(a, "ignored", "x", "y")[0] == 2
    code, text = run(a, "ignored", "--folder", "other", "x")
    assert code == 1 and "other: there is no such folder here; there is share" in text
    configure(a, 'ignore = "*.iso"\n')
    code, text = run(a, "reload")
    assert "ignore: wants a list of texts, got text" in text
    code, text = run(a, "ignored", "x")
    assert code == 1 and "the folder share is stopped" in text
