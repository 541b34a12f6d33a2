"""Real agents: `leftzmq why` and `leftzmq plan`, as a user types them."""

from __future__ import annotations

import json
import os
import sys
import time

from leftzmq.cli.demo.stage import Stage
from tests.agents.test_ignoring import comes, configure, run, said, write
from tests.helpers import processes


def test_why_and_plan_from_the_first_to_the_last(stage: Stage) -> None:
    a, b = stage.actors
    write(a, "near/x", "A's")
    write(a, "far/y", "A's y")
    write(a, ".leftignore", "*.tmp\n")
    os.mkfifo(a.share / "pipe")
    configure(b, 'only = ["near/"]\n')
    for actor in (a, b):
        actor.start()
    assert comes(b, "near/x", "A's")
    assert run(a, "wait", "--timeout", "10")[0] == 0

    code, text = run(b, "why", "./near/x")
    assert code == 0 and text.startswith("near/x: it is the same everywhere\n"), text
    assert "last changed" in text and "A: it is the same there" in text
    for path, word in (
        ("far/y", "not fetched"),
        ("nothing", "unknown path"),
        (".left/marker", "never synced"),
        ("z" * 300, "bad name"),
    ):
        code, text = run(b, "why", path, "--json")
        assert code == 1 and json.loads(text)["reason"] == word, text
    write(a, "x.tmp", "x")
    assert said(a, "why", "x.tmp")["reason"] == "ignored"
    assert said(a, "why", "pipe", "--folder", "share")["reason"] == "never synced"
    assert said(a, "why", "far/y", "--peer", "B")["reason"] == "not kept there"
    assert run(a, "plan") == (
        0,
        "nothing is to come: this device has what it is to have, as far as is known here\n",
    )

    a.stop()
    assert run(b, "get", "far/y")[0] == 0
    shown = said(b, "why", "far/y")
    assert (shown["reason"], shown["peer"]) == ("not connected", "A"), shown
    assert shown["since"] is not None and shown["cure"] == "start A"
    code, text = run(b, "plan")
    assert code == 0 and "waits far/y, 5 B, from A (not connected)" in text, text
    plan = said(b, "plan", "--limit", "1")
    assert [item["path"] for item in plan["items"]] == ["far"]
    assert [item["path"] for item in said(b, "plan", "--after", "far")["items"]] == ["far/y"]

    for words in (("why",), ("why", "../x"), ("why", "x", "--peer", "nobody")):
        code, text = run(b, *words)
        assert code != 0, text
    assert run(b, "why", "x", "--folder", "other")[0] == 1
    b.stop()
    assert "no agent" in run(b, "why", "x")[1]


def test_lines_fit_the_terminal(stage: Stage) -> None:
    a, _ = stage.actors
    name = "a folder with a rather long name/and a file in it with a name that is not short.txt"
    write(a, ".leftignore", "*.txt\n")
    a.start()
    write(a, name, "x")
    time.sleep(0.1)
    for columns in (60, 80, 120):
        command = [sys.executable, "-m", "leftzmq.cli.admin", "why", name]
        command += ["-c", str(a.home / "peer.toml")]
        done = processes.run(
            command, capture_output=True, text=True, env=os.environ | {"COLUMNS": str(columns)}
        )
        assert "ignored" in done.stdout and "what to do: change that rule" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= columns, done.stdout
