"""What `leftzmq why` and `leftzmq plan` print: lines that fit, and that steer no terminal."""

from __future__ import annotations

from typing import Any

import pytest

from leftzmq.cli.paths.plan import count_lines, item_line
from leftzmq.cli.paths.why import lines_of
from leftzmq.sync.admin.why.reasons import Because, WhyNot, because
from leftzmq.wire.answers.why import PeerWhy, WhyShown

PATH = "plans/2026/a long folder name/roof and cellar, final.dwg"
COPY = "plans/2026/a long folder name/roof.conflict-20270115-080240-AKBSQGA-547f.dwg"


def shown(found: Because, **more: Any) -> WhyShown:
    fields: dict[str, Any] = {
        "folder": "docs",
        "path": PATH,
        "reason": found.why.word,
        "text": found.text,
        "cure": found.cure,
        "peer": found.peer,
        "since": None,
        "bytes": 5_120_000,
        "have": found.have,
        "rate": found.rate,
        "by": "desk",
        "copies": [],
        "peers": [
            PeerWhy(
                name="pho\x1b[2Jne", reason="away", text="it is away", cure="", since=1_795_600_000
            )
        ],
    }
    return WhyShown(**(fields | more))


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("why", [WhyNot.SAME, WhyNot.FETCHING, WhyNot.CONFLICT])
def test_lines_fit(width: int, why: WhyNot) -> None:
    words = {"where": "everywhere", "progress": "1 of 2", "count": "a copy lies", "copy": COPY}
    found = because(why, path=PATH, peer="desk and phone", rate=3_000_000, **words)
    lines = [*lines_of(shown(found, since=1_795_600_000, copies=[COPY, COPY]), width)]
    text = " ".join(lines)
    assert all(len(line) <= width or len(line.split()) == 1 for line in lines), lines
    assert lines[0].startswith("plans/2026/a long folder name")
    assert "\x1b" not in text and "pho\\x1b[2Jne: it is away" in text
    assert text.count("conflict copy:") == 1, "one is in the sentence, the other one is not"


def test_the_last_change_is_one_sentence() -> None:
    same = [*lines_of(shown(because(WhyNot.SAME, where="everywhere"), peers=[]), 120)]
    assert same == [f"{PATH}: it is the same everywhere", "  last changed by desk"]
    late = because(WhyNot.BEHIND, peer="phone")
    text = "\n".join(lines_of(shown(late, since=1_795_600_000, peers=[]), 120))
    assert "since 2026-11-2" in text and ", last changed by desk" in text


def test_lines_of_a_plan() -> None:
    counts = [
        {"action": "fetch", "paths": 2, "bytes": 2048},
        {"action": "remove", "paths": 1, "bytes": 0},
        {"action": "held", "paths": 0, "bytes": 0},
    ]
    assert [*count_lines(counts)] == ["fetch: 2 paths, 2.0 KiB", "remove: 1 path"]
    item = {"path": "a\x1bb", "action": "waits", "bytes": 5, "from": "A", "why": "not connected"}
    assert item_line(item) == "waits a\\x1bb, 5 B, from A (not connected)"
