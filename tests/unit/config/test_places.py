"""Where peer.toml lies, and the first one that is made there."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from leftzmq.config import (
    Endpoint,
    config_file,
    load,
    load_device,
    make_config,
    places,
    rename_made,
)
from leftzmq.errors import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LEFTZMQ_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---- the place --------------------------------------------------------------------------------


def test_c_wins_then_the_variable_then_the_users_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert config_file(None) == home / ".config" / "leftzmq" / "peer.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert config_file(None) == Path("/elsewhere/leftzmq/peer.toml")
    monkeypatch.setenv("LEFTZMQ_CONFIG", "/mine.toml")
    assert config_file(None) == Path("/mine.toml")
    assert config_file(Path("named.toml")) == Path("named.toml")
    monkeypatch.setenv("LEFTZMQ_CONFIG", "")
    assert config_file(None) == Path("/elsewhere/leftzmq/peer.toml")


def test_a_file_that_is_missing_is_named_with_what_to_do(home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(config_file(None))
    assert str(caught.value) == (
        f"{home}/.config/leftzmq/peer.toml: there is no such file "
        "(`leftzmq share DIR` makes one there; or name another one with -c)"
    )


def test_without_a_home_nothing_is_made_where_we_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("user_config_path", "user_state_path"):  # as older ones of platformdirs may be
        monkeypatch.setattr(places, name, lambda *_, **__: Path("relative"))
    with pytest.raises(ConfigError, match="this place is relative"):
        config_file(None)
    with pytest.raises(ConfigError, match="this place is relative"):
        make_config(Path("peer.toml"), "alpha")
    assert sorted(os.listdir(tmp_path)) == ["home"]


# ---- the first file ---------------------------------------------------------------------------


def test_it_loads_and_is_for_this_user_alone(home: Path) -> None:
    file = config_file(None)
    make_config(file, "alpha")
    config = load(file)
    assert (config.device.name, config.folders, config.peers) == ("alpha", (), ())
    assert config.device.state == home / ".local" / "state" / "leftzmq"
    assert config.device.listen == Endpoint("0.0.0.0", 7700)
    assert (mode(file), mode(file.parent), mode(file.parent.parent)) == (0o600, 0o700, 0o700)
    assert not config.device.state.exists(), "the agent makes it"
    assert os.listdir(file.parent) == ["peer.toml"]


@pytest.mark.parametrize("name", ["a\"b\\c'", "名 😀", "[device]", "{name}"])
def test_any_name_that_is_one_is_written_as_it_is(tmp_path: Path, name: str) -> None:
    make_config(tmp_path / "peer.toml", name, "tcp://[::1]:0")
    device = load(tmp_path / "peer.toml").device
    assert (device.name, device.listen) == (name, Endpoint("::1", 0))


def test_a_home_of_any_name_is_written_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "h\x7f\n\"'"
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    make_config(tmp_path / "peer.toml", "alpha")
    assert load(tmp_path / "peer.toml").device.state == home / "leftzmq"


@pytest.mark.parametrize(
    ("name", "listen", "said"),
    [
        ("", "tcp://127.0.0.1:1", "[device] name: is empty"),
        (" a", "tcp://127.0.0.1:1", "[device] name: is ' a'"),
        ("a\nb", "tcp://127.0.0.1:1", r"[device] name: is 'a\nb'"),
        ("a\x7fb", "tcp://127.0.0.1:1", r"[device] name: is 'a\x7fb'"),
        ("n" * 129, "tcp://127.0.0.1:1", "[device] name: is 'nnn"),
        ("\udc80", "tcp://127.0.0.1:1", "cannot be written as UTF-8"),
        ("a", "127.0.0.1:1", "[device] listen: '127.0.0.1:1' does not begin with tcp://"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_made(
    tmp_path: Path, name: str, listen: str, said: str
) -> None:
    file = tmp_path / "deep" / "peer.toml"
    with pytest.raises(ConfigError) as caught:
        make_config(file, name, listen)
    assert str(caught.value).startswith(f"{file}: {said}")
    assert not file.parent.exists()


def test_what_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "peer.toml"
    file.write_text("mine")
    make_config(file, "alpha")
    assert file.read_text() == "mine"
    file.unlink()
    file.symlink_to("nowhere")
    make_config(file, "alpha")
    assert os.readlink(file) == "nowhere" and not (tmp_path / "nowhere").exists()


def test_of_many_at_once_one_makes_it(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "er" / "peer.toml"
    start = threading.Barrier(8)
    failed: list[Exception] = []

    def make(number: int) -> None:
        start.wait()
        try:
            make_config(file, f"device {number}")
            load(file)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert load(file).device.name.startswith("device ")
    assert os.listdir(file.parent) == ["peer.toml"]


def test_a_place_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made: "):
        make_config(tmp_path / "file" / "deep" / "peer.toml", "alpha")


# ---- another name -------------------------------------------------------------------------------


def test_a_file_that_nobody_changed_gets_another_name(home: Path) -> None:
    file = config_file(None)
    make_config(file, 'of "one" host', "tcp://[::]:7701")
    before = file.read_text()
    assert rename_made(file, "host-2")
    assert file.read_text() == before.replace('"of \\"one\\" host"', '"host-2"') != before
    assert mode(file) == 0o600 and load_device(file).name == "host-2"
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_file_that_a_person_changed_keeps_its_name(home: Path) -> None:
    file = config_file(None)
    make_config(file, "host")
    for changed in (
        file.read_text() + "\n",
        file.read_text().replace("listen =", "listen  ="),
        file.read_text() + "[discovery]\nlocal = false\n",
    ):
        file.write_text(changed)
        assert not rename_made(file, "host-2") and file.read_text() == changed


@pytest.mark.parametrize("name", ["", "x" * 129, "two\nlines"])
def test_a_wrong_name_is_written_nowhere(home: Path, name: str) -> None:
    file = config_file(None)
    make_config(file, "host")
    before = file.read_text()
    with pytest.raises(ConfigError):
        rename_made(file, name)
    assert file.read_text() == before


def test_a_file_that_is_not_there_gets_no_name(home: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        rename_made(config_file(None), "host")
