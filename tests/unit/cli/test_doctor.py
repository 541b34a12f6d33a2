"""`leftzmq doctor` as a person reads it; and what it finds where no agent runs."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from leftzmq.cli.admin import main
from leftzmq.cli.health.doctor import doctor_view
from leftzmq.disk.share import Share
from leftzmq.sync.admin.health.findings import Finding
from leftzmq.wire.answers.health import FindingShown

FOUND = [
    Finding.AGENT_RUNS.about("", version="0.1.0"),
    Finding.CLOCK_OFF.about("beta", off="3.2 s behind"),
    Finding.NOT_CONNECTED.about(
        "gamma", why="nobody answers at tcp://192.0.2.7:7707", cure="look whether its agent runs"
    ),
]


def shown(found: list[FindingShown], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(doctor_view(found), crop=False)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_the_worst_comes_first_each_with_its_cure() -> None:
    lines = shown(FOUND, 120).splitlines()
    assert lines[0].split()[:3] == ["bad", "reached", "gamma:"]
    assert lines[1].strip() == "to do: look whether its agent runs"
    assert [line.split()[0] for line in lines if line[0:1].isalpha()][:3] == ["bad", "note", "good"]
    assert lines[-1].strip() == "1 thing to be done, 1 note, 1 good"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_nothing_is_cut_off(width: int) -> None:
    text = shown(FOUND, width)
    assert max(map(len, text.splitlines())) <= width
    for one in FOUND:
        assert set(f"{one.text} {one.cure}".split()) <= set(text.split())


def test_what_another_device_said_cannot_steer_the_terminal() -> None:
    hostile = "\x1b[2J\x1b]0;x\a\n\u202e"
    found = Finding.CANNOT_REACH_US.about("evil", word=hostile, why=hostile)
    assert all(c.isprintable() or c == "\n" for c in shown([found]))


# ---- without an agent ----------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir(0o700)
    (tmp_path / "peer.toml").write_text(
        '[device]\nname = "alpha"\nstate = "state"\nlisten = "tcp://127.0.0.1:7799"\n'
        '[[folder]]\nid = "share"\npath = "share"\nsecret = "share.secret"\n'
    )
    return tmp_path


def doctor(
    home: Path, capsys: pytest.CaptureFixture[str], code: int = 1
) -> dict[tuple[str, str], dict[str, str]]:
    assert main(["doctor", "--json", "-c", str(home / "peer.toml")]) == code
    found = json.loads(capsys.readouterr().out)["findings"]
    return {(one["check"], one["about"]): one for one in found}


def test_agent_away(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = doctor(home, capsys)
    assert found["agent", ""]["state"] == "bad" and "leftzmq up" in found["agent", ""]["cure"]
    assert {check for check, _ in found} == {
        "agent",
        "watches",
        "descriptors",
        "permissions",
        "room",
    }
    assert found["permissions", ""]["state"] == "good"


def test_the_share_is_looked_at_and_nothing_stays_of_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Share.open(home / "share", "share", None, True).close()
    before = sorted((home / "share").rglob("*"))
    found = doctor(home, capsys)
    for check in ("share", "room", "names", "times", "replacing"):
        assert ("share" if check == "share" else check, "share") in found
    assert found["share", "share"]["state"] == "good"
    assert sorted((home / "share").rglob("*")) == before


def test_share_failed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Share.open(home / "share", "another", None, True).close()
    one = doctor(home, capsys)["share", "share"]
    assert one["state"] == "bad" and "'another'" in one["text"]


def test_what_others_may_read(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "state").chmod(0o755)
    (home / "state" / "device.key").touch(0o644)
    (home / "share.secret").touch(0o640)
    found = doctor(home, capsys)
    wrong = {about for check, about in found if check == "permissions"}
    assert wrong == {
        str(home / "state"),
        str(home / "state" / "device.key"),
        str(home / "share.secret"),
    }
    assert (home / "state").stat().st_mode & 0o777 == 0o755, "nothing is changed"


def test_a_state_that_is_not_there_yet_is_no_fault(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "state").rmdir()
    found = doctor(home, capsys)
    assert [one for one in found.values() if one["state"] == "bad"] == [found["agent", ""]]
    assert not (home / "state").exists()


def test_folder_unusable(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (home / "peer.toml").open("a") as file:
        file.write('[[folder]]\nid = "photos"\npath = 5\nsecret = "s"\n')
    one = doctor(home, capsys)["share", "photos"]
    assert one["state"] == "bad" and one["text"].startswith("the folder cannot be used")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no such file"),
        ("[device\n", "peer.toml"),
        ('[device]\nname = "x"\n', "state"),
    ],
)
def test_a_config_that_cannot_be_read_is_a_sentence(
    home: Path, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    (home / "peer.toml").unlink()
    if text is not None:
        (home / "peer.toml").write_text(text)
    assert main(["doctor", "-c", str(home / "peer.toml")]) == 2
    streams = capsys.readouterr()
    assert streams.out == "" and said in streams.err and "Traceback" not in streams.err


def test_what_invitations_brought_that_cannot_be_read_is_a_sentence(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "state" / "pairing.json").write_text("{}")
    assert main(["doctor", "-c", str(home / "peer.toml")]) == 2
    assert "pairing.json" in capsys.readouterr().err


def test_for_people(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "-c", str(home / "peer.toml")]) == 1
    said = capsys.readouterr().out
    assert said.startswith("bad") and "to do: start it: leftzmq up" in said
    assert os.linesep not in said.splitlines()[-1]
