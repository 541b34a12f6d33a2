"""`leftzmq check`: each mistake that keeps an agent or a folder from beginning; nothing is done."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from leftzmq.cli.admin import main
from leftzmq.statedir import index_file, make_state_dir
from leftzmq.transport import device_key

DEVICE = """
[device]
name = "alpha"
state = "state"
listen = "tcp://127.0.0.1:0"
"""
FOLDER = """
[[folder]]
id = "docs"
path = "share"
secret = "docs.secret"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tree(top: Path) -> list[tuple[str, int, int]]:
    found = [(str(each), each.lstat()) for each in sorted(top.rglob("*"))]
    return [(name, stat.st_mode, stat.st_mtime_ns) for name, stat in found]


def checked(text: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What it says of a peer.toml with this text, with the folder's name cut off."""
    Path("peer.toml").write_text(text)
    before = tree(Path.cwd())
    code = main(["check", "-c", "peer.toml"])
    said = capsys.readouterr()
    assert tree(Path.cwd()) == before, "it made or changed something"
    assert (code, said.out == "") in ((0, False), (2, True))
    lines = (said.out or said.err).splitlines()
    return [line.removeprefix("leftzmq: ").replace(f"{Path.cwd()}/", "") for line in lines]


def test_where_nothing_is_wrong_one_line_says_what_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert checked(DEVICE, capsys) == ["peer.toml: device alpha, 0 folders, 0 peers: nothing wrong"]
    text = DEVICE + FOLDER + '[[peer]]\nname = "beta"\n'
    assert checked(text, capsys) == ["peer.toml: device alpha, 1 folder, 1 peer: nothing wrong"]


def test_every_table_with_a_mistake_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = DEVICE + "[[folder]]\n" + FOLDER + FOLDER + "[[peer]]\nname = 5\n[[peer]]\n[other]\n"
    said = checked(text, capsys)
    assert [line.split(" (")[0] for line in said] == [
        "peer.toml: other: is not known",
        "peer.toml: [[folder]] no. 1 id: is missing",
        "peer.toml: [[peer]] no. 1 name: wants text in quotes, got a whole number",
        "peer.toml: [[peer]] no. 2 name: is missing",
        "peer.toml: [[folder]] no. 3 id: is the same as that of [[folder]] no. 2: docs",
        "peer.toml: [[folder]] no. 3 path: is the same as that of [[folder]] no. 2: share",
        "peer.toml: [[folder]] no. 3 secret: is the same as that of [[folder]] no. 2: docs.secret",
    ]


def test_rules_that_have_no_effect_are_named_by_their_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rules = 'ignore = ["*.iso", "[open", "/scratch/", "a//b"]\n'
    said = checked(DEVICE + FOLDER + rules, capsys)
    assert [line.rpartition(" (")[0] for line in said] == [
        "peer.toml: [[folder]] docs ignore: rule 2: '[open': "
        "the bracket is never closed, so the rule matches nothing",
        "peer.toml: [[folder]] docs ignore: rule 4: 'a//b': "
        "two slashes follow each other, so the rule matches nothing",
    ]
    (said,) = checked(DEVICE + FOLDER + f"ignore = {['x'] * 10_001}", capsys)
    assert "docs ignore: the file has over 10,000 rules" in said


def test_a_file_that_is_missing_or_no_toml_is_one_mistake(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "-c", "nowhere.toml"]) == 2
    assert "nowhere.toml: there is no such file" in capsys.readouterr().err
    (said,) = checked("[device", capsys)
    assert said.startswith("peer.toml: is not TOML")


def test_what_lies_around_is_looked_at_beside_a_mistake_of_the_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("state").write_text("a file")
    Path("docs.secret").write_text("not hex")
    Path("docs.secret").chmod(0o644)
    Path("share").write_text("a file")
    said = checked(DEVICE + FOLDER + "[other]\n", capsys)
    assert [line.split(" (")[0] for line in said] == [
        "peer.toml: other: is not known",
        "state: cannot be used: Not a directory",
        "docs.secret: can be read or changed by others",
        "share: the share is not a folder",
    ]


def test_the_state_of_another_user(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_state_dir(Path("state"))
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    (said,) = checked(DEVICE, capsys)
    assert said.startswith(f"state: the state directory belongs to another user (uid {uid}) (run")


def test_a_key_that_others_can_read_and_our_own_as_a_peer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pair = device_key.load_or_make(make_state_dir(Path("state")) / "device.key")
    text = device_key.public_text(pair.public)
    (said,) = checked(f'{DEVICE}[[peer]]\nname = "beta"\nkey = "{text}"\n', capsys)
    assert said.startswith("peer.toml: [[peer]] no. 1 key: is this device's own key")
    Path("state/device.key").chmod(0o640)
    (said,) = checked(DEVICE, capsys)
    assert said.startswith("state/device.key: can be read or changed by others (mode 0640)")


def test_a_folder_that_the_state_knows_must_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    index_file(make_state_dir(Path("state")), "docs").touch()
    said = checked(DEVICE + FOLDER, capsys)
    assert [line.split(" (")[0] for line in said] == [
        "docs.secret: there is no such file",
        "share: the share is missing or not mounted",
    ]
    Path("share").mkdir()
    said = checked(DEVICE + FOLDER, capsys)
    assert said[1].startswith("share: the share has no marker: it is not mounted, or it is another")


def test_the_marker_of_another_folder(capsys: pytest.CaptureFixture[str]) -> None:
    Path("share/.left").mkdir(parents=True)
    Path("share/.left/marker").write_text(f"leftzmq 1\nfolder photos\ntoken {'00' * 16}\n")
    (said,) = checked(DEVICE + FOLDER, capsys)
    assert said.startswith("share: the marker is that of the folder 'photos', not of 'docs'")
    Path("share/.left/marker").write_text("junk")
    (said,) = checked(DEVICE + FOLDER, capsys)
    assert said.startswith("share: its marker cannot be read")


def test_places_where_nothing_can_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    text = DEVICE.replace('"state"', '"file/a"') + FOLDER.replace('"share"', '"file/b"')
    said = checked(text.replace('"docs.secret"', '"file/c"'), capsys)
    assert [line.split(" (")[0] for line in said] == [
        "file/a: cannot be used: Not a directory",
        "file/c: cannot be made: Not a directory",
        "file/b: the share cannot be used: Not a directory",
    ]


def test_a_share_that_may_not_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("share").mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    said = checked(DEVICE + FOLDER, capsys)
    assert said[-1].startswith("share: the share cannot be used: Permission denied (make it a")


def test_each_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("", 0)) as two:
        ports = one.getsockname()[1], two.getsockname()[1]
        text = DEVICE.replace(":0", f":{ports[0]}") + f'bulk = "tcp://127.0.0.1:{ports[1]}"\n'
        said = checked(text, capsys)
    assert [line.split(" (")[0] for line in said] == [
        f"tcp://127.0.0.1:{port}: is taken by another program" for port in ports
    ]
    assert said[1].endswith("(stop it, or give bulk in [device] another port)")
    assert checked(text, capsys)[0].endswith("nothing wrong")


def test_an_address_that_may_still_come_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    (said,) = checked(DEVICE.replace("127.0.0.1", "192.0.2.1"), capsys)
    assert said.endswith("nothing wrong")


def test_json_has_each_mistake_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("peer.toml").write_text(DEVICE + FOLDER)
    assert main(["check", "-c", "peer.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": "peer.toml",
        "mistakes": [],
        "device": "alpha",
        "folders": 1,
        "peers": 0,
    }
    Path("peer.toml").write_text("a = 1")
    assert main(["check", "-c", "peer.toml", "--json"]) == 2
    first, second = json.loads(capsys.readouterr().out)["mistakes"]
    assert first["where"] == "peer.toml: a" and first["text"].startswith("peer.toml: a: is not")
    assert second["what"] == "is missing"
