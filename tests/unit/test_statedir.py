"""The state directory: one holder, nobody else's eyes, and of several secrets one."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from leftzmq import statedir
from leftzmq.errors import ConfigError, KeyFileError, StateLocked
from leftzmq.statedir import (
    KEPT_FLIGHTS,
    Ports,
    StateDir,
    forget_short_ways,
    ipc_endpoints,
    is_there,
    lock_holder,
    make_private,
    make_secret,
    make_state_dir,
    read_private,
    read_secret,
)

RACERS, ROUNDS, PATIENCE_S = 2, 20, 30.0
HOLDER = """
import sys
from pathlib import Path
from leftzmq.statedir import StateDir
held = StateDir.open(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ---------------------------------------------------------------- the directory and its lock


def test_it_is_made_private_with_its_parents(tmp_path: Path) -> None:
    with StateDir.open(tmp_path / "deep" / "state") as state:
        assert mode(state.path) == 0o700
        assert mode(state.path / "lock") == 0o600
        assert (state.path / "lock").read_text() == f"{os.getpid()}\n"


def test_one_that_others_may_enter_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o755)
    assert make_state_dir(tmp_path / "state") == tmp_path / "state"
    assert mode(tmp_path / "state") == 0o700


def test_one_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(ConfigError, match=rf"belongs to another user \(uid {uid}\) \(run as"):
        StateDir.open(tmp_path)
    assert not (tmp_path / "lock").exists()


def test_a_file_in_its_place_is_an_error_that_says_where(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(ConfigError, match=r"state: cannot be used: Not a directory \(name a"):
        StateDir.open(tmp_path / "state")


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("bytes")
    make_state_dir(tmp_path / "state")
    (tmp_path / "state" / "lock").symlink_to("../precious")
    with pytest.raises(ConfigError, match="lock: cannot be used"):
        StateDir.open(tmp_path / "state")
    assert (tmp_path / "precious").read_text() == "bytes"


def test_a_second_agent_reads_who_holds_it_and_may_have_it_after_a_kill(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "state")]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(StateLocked) as caught:
            StateDir.open(tmp_path / "state")
        assert str(caught.value).startswith(
            f"{tmp_path}/state: another agent runs on this state directory (process {holder.pid})"
        )
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate(timeout=PATIENCE_S)
    StateDir.open(tmp_path / "state").close()


def test_who_holds_it_is_known_without_trying_it(tmp_path: Path) -> None:
    assert lock_holder(tmp_path / "nowhere") is None
    with StateDir.open(tmp_path / "state") as held:
        assert lock_holder(held.path) == os.getpid()
        (held.path / "lock").write_text("1\n")
        assert lock_holder(held.path) is None, "process 1 does not hold it"
        (held.path / "lock").write_text("x" * 40)
        assert lock_holder(held.path) is None
    (tmp_path / "state" / "lock").write_text(f"{os.getpid()}\n")
    assert lock_holder(tmp_path / "state") is None, "as a killed agent leaves it"
    with (tmp_path / "state" / "lock").open():
        assert lock_holder(tmp_path / "state") is None, "open, and not locked"


def test_after_close_the_next_one_may_have_it(tmp_path: Path) -> None:
    first = StateDir.open(tmp_path / "state")
    with pytest.raises(StateLocked):
        StateDir.open(tmp_path / "state")
    first.close()
    first.close()
    StateDir.open(tmp_path / "state").close()


def _race_for_the_lock(path: Path, start: Barrier, end: Barrier) -> str:
    start.wait(PATIENCE_S)
    try:
        held = StateDir.open(path)
    except StateLocked:
        held = None
    end.wait(PATIENCE_S)  # nobody lets go before everyone has tried
    if held:
        held.close()
    return "won" if held else "lost"


def _race_for_the_secret(path: Path, start: Barrier, end: Barrier) -> str:
    start.wait(PATIENCE_S)
    return make_secret(path).hex()


def _run(race: str, folder: Path, start: Barrier, end: Barrier, answers: object) -> None:
    for number in range(ROUNDS):
        answer = globals()[race](folder / str(number), start, end)
        answers.put((number, answer))  # type: ignore[attr-defined]


def raced(race: str, folder: Path) -> list[list[str]]:
    """What each of RACERS processes answered, round by round."""
    spawn = multiprocessing.get_context("spawn")
    start, end, answers = spawn.Barrier(RACERS), spawn.Barrier(RACERS), spawn.Queue()
    racers = [
        spawn.Process(target=_run, args=(race, folder, start, end, answers)) for _ in range(RACERS)
    ]
    for racer in racers:
        racer.start()
    rounds: list[list[str]] = [[] for _ in range(ROUNDS)]
    for _ in range(ROUNDS * RACERS):
        number, answer = answers.get(timeout=PATIENCE_S)
        rounds[number].append(answer)
    for racer in racers:
        racer.join(PATIENCE_S)
    return rounds


def test_of_two_that_race_for_the_lock_one_has_it(tmp_path: Path) -> None:
    for answers in raced("_race_for_the_lock", tmp_path):
        assert sorted(answers) == ["lost", "won"]


def test_of_two_that_race_for_the_secret_one_wins_and_both_have_it(tmp_path: Path) -> None:
    for number, answers in enumerate(raced("_race_for_the_secret", tmp_path)):
        assert set(answers) == {read_secret(tmp_path / str(number)).hex()}
    assert len(list(tmp_path.iterdir())) == ROUNDS, "a temporary file was left behind"


# ---------------------------------------------------------------- what lies where


def test_the_index_of_a_folder_has_one_name_whatever_its_id(tmp_path: Path) -> None:
    with StateDir.open(tmp_path) as state:
        assert state.index_file("share") == tmp_path / "2a5065d4d4f1dc0d.sqlite"
        assert state.index_file("../../etc").parent == tmp_path
        assert state.device_key_file == tmp_path / "device.key"
        assert state.rosters_file == tmp_path / "rosters.db"


def test_ports_are_remembered(tmp_path: Path) -> None:
    with StateDir.open(tmp_path) as state:
        assert state.load_ports() == Ports(0, 0)
        state.save_ports(Ports(bulk=40001, news=40002))
        state.save_ports(Ports(bulk=40003, news=40002))
        assert state.load_ports() == Ports(bulk=40003, news=40002)
        assert mode(tmp_path / "ports.json") == 0o600
        assert {file.name for file in tmp_path.iterdir()} == {"lock", "ports.json"}


def test_a_disk_without_room_for_ports_and_process_id_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as planted:
        planted.setattr("leftzmq.statedir.os.pwrite", full)
        planted.setattr("leftzmq.statedir.os.fsync", full)
        with StateDir.open(tmp_path) as state:
            assert "No space left" in state.save_ports(Ports(bulk=1, news=2))
    with StateDir.open(tmp_path) as state:
        assert state.load_ports() == Ports()
        assert state.save_ports(Ports(bulk=1, news=2)) == ""
        assert state.load_ports() == Ports(1, 2)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"bulk": true}', '{"bulk": 65536}', '{"bulk": "1"}', "[" * 9999]
)
def test_damaged_ports_are_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    with StateDir.open(tmp_path) as state:
        assert state.load_ports() == Ports(0, 0)


def flights(state: Path) -> list[str]:
    return sorted(file.name for file in state.glob("flight-*"))


def test_what_happened_before_a_mistake_is_kept_privately_and_only_the_last_few(
    tmp_path: Path,
) -> None:
    with StateDir.open(tmp_path) as state:
        for second in range(KEPT_FLIGHTS + 2):
            file = state.save_flight(f"{second} caf\udce9\n", 1_795_600_000.5 + second)
            assert file.read_text() == f"{second} caf\\udce9\n" and mode(file) == 0o600
        assert flights(tmp_path) == [
            "flight-20261125-094642.log",
            "flight-20261125-094643.log",
            "flight-20261125-094644.log",
        ]
        assert state.save_flight("the clock was set back", 1e9).read_text()
        assert flights(tmp_path)[0] == "flight-20010909-014640.log"
        assert len(flights(tmp_path)) == KEPT_FLIGHTS


def test_a_disk_without_room_for_what_happened_keeps_the_old_files_and_no_half_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with StateDir.open(tmp_path) as state:
        for second in range(KEPT_FLIGHTS):
            state.save_flight("old", 1e9 + second)
        before = flights(tmp_path)
        monkeypatch.setattr("leftzmq.statedir.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            state.save_flight("new", 2e9)
        assert flights(tmp_path) == before


# ---------------------------------------------------------------- the way to its sockets


@pytest.fixture
def short_bases(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """The folders for short ways: the first, and the one without XDG_RUNTIME_DIR.

    Not below tmp_path: that one is itself too long to be a short way.
    """
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as one,
        tempfile.TemporaryDirectory(dir="/tmp") as two,
    ):
        monkeypatch.setenv("XDG_RUNTIME_DIR", one)
        monkeypatch.setattr(tempfile, "tempdir", two)
        yield Path(one), Path(two)


@pytest.fixture
def long_state(tmp_path: Path, short_bases: tuple[Path, Path]) -> Path:
    """A state directory whose sockets have too long a path."""
    return make_state_dir(tmp_path / ("s" * 100))


def test_short_paths_are_taken_as_they_are(short_bases: tuple[Path, Path]) -> None:
    base = short_bases[0]
    room = statedir.MAX_IPC_PATH_BYTES - len(f"{base}//events")
    exact, over = base / ("s" * room), base / ("s" * (room + 1))
    assert ipc_endpoints(exact) == (f"ipc://{exact}/events", f"ipc://{exact}/admin")
    assert str(over) not in ipc_endpoints(over)[0]


def test_a_long_one_is_reached_through_a_short_private_one(long_state: Path) -> None:
    events, admin = (Path(end.removeprefix("ipc://")) for end in ipc_endpoints(long_state))
    assert len(os.fsencode(events)) <= statedir.MAX_IPC_PATH_BYTES
    assert mode(events.parent.parent) == 0o700
    assert (events.resolve(), admin.resolve()) == (long_state / "events", long_state / "admin")
    assert ipc_endpoints(long_state)[0] == f"ipc://{events}", "the second call finds the first's"


def test_agent_and_client_meet_although_their_environments_differ(
    long_state: Path, short_bases: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path(ipc_endpoints(long_state)[1].removeprefix("ipc://"))
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    there = Path(ipc_endpoints(long_state)[1].removeprefix("ipc://"))
    assert [end.parent.parent.parent for end in (here, there)] == list(short_bases)
    assert here.resolve() == there.resolve() == long_state / "admin"


def squat(private: Path, how: str) -> None:
    """Somebody else was there first."""
    if how == "a link that leads elsewhere":
        private.mkdir(0o700)
        (private / "s").symlink_to("/elsewhere")
    elif how == "a folder that others may enter":
        private.mkdir()
        private.chmod(0o755)
    elif how == "a link to a folder":
        private.symlink_to(private.with_name("elsewhere"))
    elif how == "a file":
        private.write_text("")
    else:
        private.mkdir(0o700)
        (private / "s").mkdir()


SQUATS = (
    "a link that leads elsewhere",
    "a folder that others may enter",
    "a link to a folder",
    "a file",
    "a folder without a link",
)


def way(state: Path) -> Path:
    return Path(ipc_endpoints(state)[1].removeprefix("ipc://")).parent


@pytest.mark.parametrize("how", SQUATS)
def test_where_a_short_way_is_taken_the_next_one_is(
    long_state: Path, short_bases: tuple[Path, Path], how: str
) -> None:
    squat(statedir._short_links(long_state)[0].parent, how)
    assert way(long_state).parent.parent == short_bases[1]
    assert way(long_state).resolve() == long_state


@pytest.mark.parametrize("how", SQUATS)
def test_where_all_are_taken_there_is_one_that_nobody_knows(
    long_state: Path, short_bases: tuple[Path, Path], how: str
) -> None:
    squats = [link.parent for link in statedir._short_links(long_state)]
    try:
        for private in squats:
            squat(private, how)
        found = way(long_state)
        assert found.resolve() == long_state and mode(found.parent) == 0o700
        assert found.parent not in squats and found.parent.parent == short_bases[0]
        assert way(long_state) == found, "a client finds it"
        found.unlink()
        found.parent.rmdir()
        again = way(long_state)
        assert again != found and again.resolve() == long_state, "/tmp was cleaned up"
        forget_short_ways(long_state)
        assert not again.is_symlink() and not again.parent.exists()
    finally:
        shutil.rmtree(squats[-1], ignore_errors=True)
        if squats[-1].is_file() or squats[-1].is_symlink():
            squats[-1].unlink()


@pytest.mark.parametrize("text", ["", "s", "/nowhere/s", "/tmp", "\0", "x" * 5000, "/" + "x" * 200])
def test_a_damaged_memory_of_the_way_is_forgotten(long_state: Path, text: str) -> None:
    squats = [link.parent for link in statedir._short_links(long_state)]
    make_private(long_state / "way", text.encode())
    try:
        for private in squats:
            squat(private, "a file")
        assert way(long_state).resolve() == long_state
        forget_short_ways(long_state)
    finally:
        squats[-1].unlink()


def test_a_state_that_is_thrown_away_leaves_no_way_to_it(
    long_state: Path, short_bases: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_state_dir(long_state.with_name("t" * 100))
    ipc_endpoints(other)
    ipc_endpoints(long_state)
    with monkeypatch.context() as without:
        without.delenv("XDG_RUNTIME_DIR")
        ipc_endpoints(long_state)
    forget_short_ways(long_state)
    (left,) = [link for base in short_bases for link in base.rglob("s")]
    assert left.resolve() == other
    assert [link.parent for base in short_bases for link in base.rglob("s")] == [
        folder for base in short_bases for folder in base.iterdir()
    ]
    forget_short_ways(long_state)  # again: there is none


def test_what_leads_elsewhere_is_not_taken_away(long_state: Path) -> None:
    short = Path(ipc_endpoints(long_state)[0].removeprefix("ipc://")).parent
    short.unlink()
    short.symlink_to("/elsewhere")
    forget_short_ways(long_state)
    assert short.is_symlink()


# ---------------------------------------------------------------- secrets


def test_a_secret_is_made_once_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "share.secret"
    made = make_secret(path, lambda size: bytes(range(size)))
    assert made == bytes(range(32))
    assert path.read_text() == bytes(range(32)).hex() + "\n"
    assert mode(path) == 0o600
    assert make_secret(path) == read_secret(path) == made
    assert [file.name for file in path.parent.iterdir()] == ["share.secret"]


def test_a_secret_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o277)
    try:
        make_secret(tmp_path / "s")
    finally:
        os.umask(before)
    assert mode(tmp_path / "s") == 0o600


def test_two_secrets_differ(tmp_path: Path) -> None:
    assert make_secret(tmp_path / "a") != make_secret(tmp_path / "b")


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o601])
def test_a_secret_that_others_can_reach_is_refused(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "share secret"
    make_secret(path)
    path.chmod(bits)
    with pytest.raises(KeyFileError) as caught:
        read_secret(path)
    said = f"{path}: can be read or changed by others (mode {bits:04o}) (chmod 600 '{path}')"
    assert str(caught.value) == said
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ab" * 31, "64 hex digits are wanted, 62 were found (copy the whole"),
        ("ab" * 32 + "c", "64 hex digits are wanted, 65 were found (copy the whole"),
        ("", "64 hex digits are wanted, 0 were found (copy the whole"),
        ("xyz!" * 16, "is not 64 hex digits: it holds something else (copy the whole"),
        ("ab" * 16 + " " + "ab" * 16, "is not 64 hex digits: it holds something else"),
        ("٣" * 64, "is not 64 hex digits: it holds something else"),
        ("ab" * 4096, "is over 4096 bytes long: neither a key nor a secret (name the"),
    ],
)
def test_a_malformed_secret_says_what_is_wanted(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "s"
    make_private(path, text.encode())
    with pytest.raises(KeyFileError) as caught:
        read_secret(path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert not text or text[:8] not in str(caught.value), "the message gives the secret away"


def test_capitals_and_blank_ends_are_forgiven(tmp_path: Path) -> None:
    make_private(tmp_path / "s", b" " + b"AB" * 32 + b"\r\n")
    assert read_secret(tmp_path / "s") == b"\xab" * 32


def test_what_is_no_file_is_refused_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for place, said in (
        ("fifo", "is not a regular file"),
        ("gone", "there is no such file (copy it from a device that has it"),
        (".", "is not a regular file"),
    ):
        with pytest.raises(KeyFileError) as caught:
            read_secret(tmp_path / place)
        assert said in str(caught.value)


def test_a_secret_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match="cannot be made"):
        make_secret(tmp_path / "file" / "s")


def test_the_loser_leaves_what_is_there_alone(tmp_path: Path) -> None:
    assert make_private(tmp_path / "key", b"first")
    assert not make_private(tmp_path / "key", b"second")
    assert read_private(tmp_path / "key") == b"first"


def test_sockets_that_this_user_may_not_look_for_are_another_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    _, admin = ipc_endpoints(tmp_path)
    assert not is_there(admin, tmp_path)
    monkeypatch.setattr(Path, "exists", denied)
    with pytest.raises(ConfigError, match="cannot be used: Permission denied"):
        is_there(admin, tmp_path)
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    with pytest.raises(ConfigError, match=rf"belongs to another user \(uid {uid}\) \(run as"):
        is_there(admin, tmp_path)
