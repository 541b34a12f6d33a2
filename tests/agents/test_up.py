"""`leftzmq up` and `down`: an agent in the background, and one that a (fake) systemd keeps."""

from __future__ import annotations

import json
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import free_ports, wait_until
from leftzmq.cli.service import systemd, up
from leftzmq.cli.service.background import LOG_BYTES
from leftzmq.cli.service.process import stop
from leftzmq.config import config_file, make_config
from leftzmq.errors import AgentAway, LeftError
from leftzmq.statedir import lock_holder, make_state_dir
from tests.helpers import processes

DEADLINE_S = 40.0
HOLDER = """
import sys
from pathlib import Path
from leftzmq.statedir import StateDir
held = StateDir.open(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""
SYSTEMCTL = """\
#!{python}
import os, shlex, signal, subprocess, sys, time
from pathlib import Path

fake, words = Path({fake!r}), sys.argv[2:]
with (fake / "calls").open("a") as calls:
    calls.write(shlex.join(sys.argv[1:]) + "\\n")


def runs():
    try:
        os.kill(int((fake / "pid").read_text()), 0)
        return True
    except (OSError, ValueError):
        return False


match words[0]:
    case "show-environment":
        if (fake / "hangs").exists():
            time.sleep(60)
        sys.exit(int((fake / "away").exists()))
    case "enable":
        unit = Path(os.environ["XDG_CONFIG_HOME"]) / "systemd" / "user" / words[-1]
        (line,) = [each for each in unit.read_text().splitlines() if "ExecStart=" in each]
        command = shlex.split(line.removeprefix("ExecStart="))
        command = [word.replace("%%", "%").replace("$$", "$") for word in command]
        with (fake / "journal").open("a") as journal:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=journal, stderr=journal,
                cwd="/", start_new_session=True,
            )
        (fake / "pid").write_text(str(process.pid))
    case "show":
        print("running" if runs() else "failed")
    case "disable" if runs():
        os.kill(int((fake / "pid").read_text()), signal.SIGTERM)
        while runs():
            time.sleep(0.02)
"""
JOURNALCTL = "#!/bin/sh\ncat {fake}/journal\n"


class User:
    """Someone with a home, a peer.toml, and a systemd that answers or not."""

    def __init__(self, home: Path) -> None:
        self.home, self.fake = home, home / "fake"
        self.file, self.state = config_file(None), home / "state" / "leftzmq"
        self.units = home / "config" / "systemd" / "user"
        self.fake.mkdir()
        (self.port,) = free_ports(1)
        make_config(self.file, "alpha", f"tcp://127.0.0.1:{self.port}")

    def calls(self) -> list[str]:
        """What systemctl was asked, but for whether it is there and how the agent is."""
        lines = (self.fake / "calls").read_text().splitlines()
        return [line for line in lines if "show" not in line]

    def start(self, *words: str, pass_fds: tuple[int, ...] = ()) -> processes.Process[str]:
        return processes.start(
            [sys.executable, "-m", "leftzmq.cli.admin", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=pass_fds,
        )

    def run(self, *words: str, pass_fds: tuple[int, ...] = ()) -> tuple[int, str]:
        process = self.start(*words, pass_fds=pass_fds)
        said, _ = process.communicate(timeout=DEADLINE_S)
        assert "Traceback" not in said
        return process.returncode, said


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[User]:
    """Its systemd does not answer; nothing of it runs afterwards."""
    monkeypatch.delenv("LEFTZMQ_CONFIG", raising=False)
    for name in ("config", "state"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
        text = text.replace("{fake!r}", repr(str(tmp_path / "fake")))
        text = text.replace("{fake}", str(tmp_path / "fake")).replace("{python}", sys.executable)
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    user = User(tmp_path)
    (user.fake / "away").touch()
    yield user
    pid = lock_holder(user.state)
    if pid is not None:
        os.kill(pid, signal.SIGCONT)
        stop(user.state)


@pytest.fixture
def managed(user: User) -> User:
    """A user whose systemd answers."""
    (user.fake / "away").unlink()
    return user


# ---- in the background --------------------------------------------------------------------------


def test_up_starts_one_says_it_of_one_that_runs_and_down_stops_it(user: User) -> None:
    code, said = user.run("up")
    pid = lock_holder(user.state)
    assert (code, said) == (
        0,
        f"the agent of alpha was started (process {pid}) in the background; "
        f"its log is {user.state}/agent.log\n",
    )
    again = f"an agent of alpha runs already (process {pid})\n"
    assert user.run("up") == (0, again)
    code, said = user.run("up", "--json")
    assert json.loads(said) == {"device": "alpha", "started": False, "process": pid}
    assert user.run("check")[1].endswith("nothing wrong\n"), "its ports are its own"
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f":{other.getsockname()[1]}"
        moved = user.home / "moved.toml"
        moved.write_text(user.file.read_text().replace(f":{user.port}", taken))
        code, said = user.run("check", "-c", str(moved))
        assert code == 2 and f"tcp://127.0.0.1{taken}: is taken by another program" in said
    assert user.run("down") == (0, "the agent was stopped\n")
    assert lock_holder(user.state) is None
    assert user.run("down") == (0, "no agent runs\n")
    assert json.loads(user.run("down", "--json")[1]) == {"device": "alpha", "stopped": False}
    assert user.calls() == []


@pytest.mark.long
def test_it_has_a_session_of_its_own_and_nothing_of_ours(user: User) -> None:
    reader, writer = os.pipe()
    assert user.run("up", pass_fds=(writer,))[0] == 0
    os.close(writer)
    assert select.select((reader,), (), (), 0)[0], "it holds the other end of the pipe"
    os.close(reader)
    pid = lock_holder(user.state)
    assert pid is not None and os.getsid(pid) == pid
    process = Path(f"/proc/{pid}")
    log = str(user.state / "agent.log")
    assert [os.readlink(process / "fd" / n) for n in "012"] == ["/dev/null", log, log]
    assert os.readlink(process / "cwd") == "/"
    assert "ready control=" in Path(log).read_text()


@pytest.mark.long
def test_its_log_is_private_and_cut_to_its_last_megabyte(user: User) -> None:
    log = make_state_dir(user.state) / "agent.log"
    line = b"a line of an older log\n"
    log.write_bytes(b"the first line\n" + line * (2 * LOG_BYTES // len(line)))
    log.chmod(0o644)
    assert user.run("up")[0] == 0
    assert log.stat().st_mode & 0o777 == 0o600
    kept = log.read_bytes()
    assert LOG_BYTES - len(line) <= kept.count(line) * len(line) <= LOG_BYTES
    assert kept.startswith(line) and b"ready control=" in kept[-4096:]


def test_of_two_at_once_one_starts_it_and_both_say_so(user: User) -> None:
    both = [user.start("up") for _ in range(2)]
    said = sorted(process.communicate(timeout=DEADLINE_S)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    pid = lock_holder(user.state)
    assert said[0] == f"an agent of alpha runs already (process {pid})\n"
    assert said[1].startswith(f"the agent of alpha was started (process {pid})")
    assert "another agent runs" not in (user.state / "agent.log").read_text()


@pytest.mark.long
def test_one_that_was_started_by_hand_meanwhile_counts(user: User) -> None:
    command = [sys.executable, "-m", "leftzmq.cli.agent", "-c", str(user.file)]
    with processes.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as agent:
        assert wait_until(lambda: lock_holder(user.state) == agent.pid, DEADLINE_S)
        code, said = user.run("up")
        assert (code, said) == (0, f"an agent of alpha runs already (process {agent.pid})\n")
        assert user.run("down") == (0, "the agent was stopped\n")


def test_after_a_kill_it_is_started_anew(user: User) -> None:
    assert user.run("up")[0] == 0
    pid = lock_holder(user.state)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: lock_holder(user.state) is None, DEADLINE_S)
    assert (user.state / "lock").read_text() == f"{pid}\n"
    code, said = user.run("down")
    assert (code, said) == (0, "no agent runs\n")
    code, said = user.run("up")
    assert code == 0 and "was started" in said


def test_a_port_that_is_taken_is_the_error(user: User) -> None:
    with socket.create_server(("127.0.0.1", user.port)):
        code, said = user.run("up")
    assert code == 1
    assert said.startswith(f"leftzmq: {user.state}/agent.log: the agent ended (\n")
    assert f"tcp://127.0.0.1:{user.port}: is taken by another program (stop it" in said
    assert lock_holder(user.state) is None


def test_a_wrong_config_starts_and_makes_nothing(user: User) -> None:
    user.file.write_text(user.file.read_text() + "bluk = 1\n")
    code, said = user.run("up")
    assert code == 2 and "[device] bluk: is not known" in said
    user.file.unlink()
    for verb in ("up", "down"):
        code, said = user.run(verb)
        assert code == 2 and f"{user.file}: there is no such file" in said
    assert not user.state.exists()


def test_the_state_of_another_user_is_refused(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    make_state_dir(user.state)
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    for verb in (lambda: up.ensure_agent(user.file, print), lambda: up.stop_agent(user.file)):
        with pytest.raises(LeftError, match=rf"belongs to another user \(uid {uid}\)"):
            verb()
    assert not (user.state / "up.lock").exists()


@pytest.mark.long
def test_one_that_does_not_answer_is_named(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert user.run("up")[0] == 0
    pid = lock_holder(user.state)
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(up, "START_S", 0.5)
    with pytest.raises(AgentAway, match=rf"the agent \(process {pid}\) did not answer within"):
        up.ensure_agent(user.file, print)
    with pytest.raises(LeftError, match=rf"the agent \(process {pid}\) did not end within 0 s"):
        stop(user.state, timeout_s=0.1)


@pytest.mark.long
def test_one_that_ends_meanwhile_is_started_anew(user: User) -> None:
    assert user.run("up")[0] == 0
    first = lock_holder(user.state)
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    (user.state / "up.lock").unlink()
    waiting = user.start("up")
    assert wait_until((user.state / "up.lock").exists, DEADLINE_S)
    os.kill(first, signal.SIGKILL)
    said, _ = waiting.communicate(timeout=DEADLINE_S)
    assert said.startswith(f"the agent of alpha was started (process {lock_holder(user.state)})")


@pytest.mark.long
def test_the_agent_of_another_device_on_that_state_is_an_error(user: User) -> None:
    assert user.run("up")[0] == 0
    other = user.home / "other.toml"
    other.write_text(user.file.read_text().replace('"alpha"', '"beta"'))
    code, said = user.run("up", "-c", str(other))
    assert code == 1 and f"that runs there is alpha, and {other} says beta" in said


@pytest.mark.long
def test_down_ends_no_process_that_is_not_an_agent_with_the_lock(user: User) -> None:
    state = make_state_dir(user.state)
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        (state / "lock").write_text(f"{sleeper.pid}\n")
        assert user.run("down") == (0, "no agent runs\n")
        assert sleeper.poll() is None
        sleeper.kill()
    command = [sys.executable, "-c", HOLDER, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        code, said = user.run("down")
        assert code == 1
        assert f"process {holder.pid} holds the lock, and is no leftzmq-agent of" in said
        assert holder.poll() is None
        holder.kill()


# ---- as a service -------------------------------------------------------------------------------


def test_where_systemd_answers_it_is_a_service(managed: User) -> None:
    code, said = managed.run("up")
    pid = lock_holder(managed.state)
    assert code == 0
    assert said.startswith(
        f"the agent of alpha was started (process {pid}) as the service leftzmq.service, which"
    )
    assert (managed.fake / "pid").read_text() == str(pid)
    unit = (managed.units / "leftzmq.service").read_text()
    assert unit.startswith("# Made by leftzmq ")
    assert (
        f'ExecStart="{sys.executable}" "-P" "-m" "leftzmq.cli.agent" "-c" "{managed.file}"' in unit
    )
    assert "\nRestart=on-failure\n" in unit
    started = ["--user daemon-reload", "--user enable --now leftzmq.service"]
    assert managed.calls() == started
    assert managed.run("up") == (0, f"an agent of alpha runs already (process {pid})\n")
    assert managed.calls() == started
    assert managed.run("down") == (0, "the agent was stopped\n")
    assert managed.calls() == [*started, "--user disable --now leftzmq.service"]
    assert lock_holder(managed.state) is None
    assert managed.run("down") == (0, "no agent runs\n")


@pytest.mark.long
def test_another_config_is_another_service(managed: User) -> None:
    other = managed.home / 'o "$1" 100%.toml'
    other.write_text(managed.file.read_text())
    assert managed.run("up", "-c", str(other))[0] == 0
    (unit,) = os.listdir(managed.units)
    assert unit.startswith("leftzmq-") and unit == systemd.Service(other).name
    assert managed.run("down", "-c", os.path.relpath(other)) == (0, "the agent was stopped\n")
    assert managed.calls()[-1] == f"--user disable --now {unit}"


@pytest.mark.long
@pytest.mark.parametrize("text", ["[Service]\nExecStart=/bin/true\n", None])
def test_a_unit_that_a_person_wrote_is_not_touched(managed: User, text: str | None) -> None:
    managed.units.mkdir(parents=True)
    unit = managed.units / "leftzmq.service"
    if text is None:
        unit.symlink_to("/dev/null")  # masked
    else:
        unit.write_text(text)
    code, said = managed.run("up")
    assert code == 1 and f"{unit}: was not made by leftzmq, which does not touch it" in said
    assert managed.calls() == [] and managed.run("down") == (0, "no agent runs\n")
    assert unit.is_symlink() if text is None else unit.read_text() == text


@pytest.mark.long
def test_a_service_that_ends_is_an_error_with_its_journal(managed: User) -> None:
    with socket.create_server(("127.0.0.1", managed.port)):
        code, said = managed.run("up")
    assert code == 1
    assert said.startswith("leftzmq: leftzmq.service: the agent ended; systemd may start it again")
    assert f"tcp://127.0.0.1:{managed.port}: is taken by another program" in said


@pytest.mark.long
def test_one_that_was_started_otherwise_is_stopped_too(managed: User) -> None:
    (managed.fake / "away").touch()
    assert managed.run("up")[0] == 0
    (managed.fake / "away").unlink()
    assert managed.run("down") == (0, "the agent was stopped\n")


@pytest.mark.long
def test_a_systemd_that_hangs_is_none(managed: User, monkeypatch: pytest.MonkeyPatch) -> None:
    (managed.fake / "hangs").touch()
    monkeypatch.setattr(systemd, "ANSWER_S", 0.3)
    assert not systemd.has_manager()
    monkeypatch.setenv("PATH", "/nowhere")
    assert not systemd.has_manager()


@pytest.mark.long
def test_a_command_of_systemd_that_fails_is_a_sentence(managed: User) -> None:
    (managed.home / "bin" / "systemctl").write_text(
        '#!/bin/sh\ncase $2 in show-environment) ;; *) echo "no  bus" >&2; exit 1;; esac\n'
    )
    code, said = managed.run("up")
    assert code == 1
    assert said == "leftzmq: systemctl --user daemon-reload: failed: no bus (try it by hand)\n"


@pytest.mark.long
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_finds_nothing_wrong_with_the_unit(managed: User) -> None:
    other = managed.home / "a %h $HOME 'b'.toml"
    other.write_text(managed.file.read_text())
    assert managed.run("up", "-c", str(other))[0] == 0
    (unit,) = managed.units.iterdir()
    command = ["systemd-analyze", "--user", "verify", str(unit)]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=os.environ | {"XDG_RUNTIME_DIR": str(managed.home)},  # it wants one
    )
    assert str(unit) not in ran.stdout + ran.stderr, "it is named with each mistake"


@pytest.mark.long
def test_the_words_of_a_unit_are_read_as_they_were() -> None:
    words = list(systemd.Service(Path("/a b/\\\"'$HOME %h\n.toml"))._words())
    assert words[-1] == '"/a b/\\\\\\"\'$$HOME %%h\\x0a.toml"'
    assert shlex.split(words[0]) == [sys.executable]
