"""The demo on a bad day: it is ended half-way, the disk is full, a port is taken, nobody reads.

Whatever happens, no process and no folder of it stays behind, and what happened is a sentence.
"""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from leftzmq.cli.demo.command import _table
from leftzmq.cli.demo.keeper import clear
from leftzmq.cli.demo.stage import Stage, free_ports, wait_until
from leftzmq.cli.demo.steps import Step
from leftzmq.errors import LeftError
from leftzmq.runtime.pairing.door import DOOR_ABOVE

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "leftzmq.cli.admin", "demo", "--size", "16M"]
DEADLINE_S = 60.0


def test_a_port_is_given_to_one_agent_alone_and_not_beside_another_ones_door() -> None:
    given = [port for _ in range(50) for port in free_ports(2)]
    assert len(set(given)) == 100
    assert not set(given) & {port + DOOR_ABOVE for port in given}


def defaults() -> None:
    """What the shell that runs the tests ignores is no affair of theirs."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Run:
    """The demo in a terminal of its own, with its folder below `home`."""

    def __init__(self, home: Path) -> None:
        self.home, self.text = home, ""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            defaults()
            os.environ["TMPDIR"] = str(home)
            os.execv(sys.executable, COMMAND)

    def until(self, words: str) -> None:
        """Read until it has said this."""
        end = time.monotonic() + DEADLINE_S
        while words not in self.text:
            assert time.monotonic() < end, self.text
            self.text += os.read(self.terminal, 65536).decode(errors="replace")

    def code(self) -> int:
        """Read to the end; how it ended."""
        with suppress(OSError):
            while data := os.read(self.terminal, 65536):
                self.text += data.decode(errors="replace")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def interrupted(run: Run) -> None:
    os.write(run.terminal, b"\x03")


def interrupted_again_and_again(run: Run) -> None:
    for _ in range(5):
        os.write(run.terminal, b"\x03")
        time.sleep(0.03)


def terminated(run: Run) -> None:
    os.kill(run.pid, signal.SIGTERM)


def hung_up(run: Run) -> None:
    os.kill(run.pid, signal.SIGHUP)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where the demo makes its folder; nothing is left in it, and nobody who works there.

    Its path is too long for a socket: what leads there lies elsewhere, and goes as well.
    """
    home = tmp_path / ("d" * 60)
    home.mkdir()
    yield home
    # Who was to clean up after a killed demo takes a moment to see that there is nothing to do.
    assert wait_until(lambda: not agents(home) and not list(home.glob("leftzmq-*")), 5)
    ways = (way.readlink() for way in Path(os.environ["XDG_RUNTIME_DIR"]).glob("leftzmq-*/*"))
    assert not [way for way in ways if str(way).startswith(f"{home}/leftzmq-demo-")]


def agents(home: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(home).encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
    return found


@pytest.mark.parametrize("end", [interrupted, interrupted_again_and_again, terminated, hung_up])
def test_ended_half_way_nothing_of_it_stays(home: Path, end: Callable[[Run], None]) -> None:
    run = Run(home)
    run.until("4.")
    assert agents(home)
    end(run)
    assert run.code() == 130
    assert "Traceback" not in run.text


@pytest.mark.parametrize("words", ["1.", "4."])
def test_killed_half_way_nothing_of_it_stays(home: Path, words: str) -> None:
    run = Run(home)
    run.until(words)
    os.kill(run.pid, signal.SIGKILL)
    assert run.code() == -signal.SIGKILL
    assert wait_until(lambda: not agents(home) and not list(home.iterdir()), 5)


def test_who_cleans_up_kills_nobody_else(tmp_path: Path) -> None:
    """Not who reads a log there, and not who has a folder whose name begins the same."""
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    home, other = tmp_path / "demo", tmp_path / "demo-2"
    mine = subprocess.Popen([*sleeper, "leftzmq.cli.agent", "-c", f"{home}/A/peer.toml"])
    others = [
        subprocess.Popen([*sleeper, "leftzmq.cli.agent", "-c", f"{other}/A/peer.toml"]),
        subprocess.Popen([*sleeper, f"{home}/A/log"]),
    ]
    home.mkdir()
    other.mkdir()
    try:
        assert clear(home, DEADLINE_S)
        assert mine.wait(5) == -signal.SIGKILL
        assert [process.poll() for process in others] == [None, None]
        assert not home.exists()
        assert other.exists()
    finally:
        for process in (mine, *others):
            process.kill()
            process.wait()


def interrupted_while_it_starts(
    command: str, arguments: list[str], after_ms: int
) -> tuple[int, str]:
    """As soon as it can hear of it: what Python does before that is not ours."""
    code = f"import sys; from leftzmq.cli.start import {command}; print('began', flush=True); "
    code += f"sys.exit({command}())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=defaults,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after_ms / 1000)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert "Traceback" not in said
    assert "Exception" not in said
    return process.returncode, said


@pytest.mark.parametrize("after_ms", range(0, 400, 20))
def test_ctrl_c_while_it_starts_is_quiet(home: Path, after_ms: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(home))
        code, said = interrupted_while_it_starts("admin", COMMAND[3:], after_ms)
    assert code == 130, said


@pytest.mark.parametrize("after_ms", [0, 40, 80, 120, 200, 400])
@pytest.mark.parametrize("command", ["agent", "monitor"])
def test_ctrl_c_is_quiet_for_every_command(home: Path, command: str, after_ms: int) -> None:
    (home / "peer.toml").write_text(
        '[device]\nname = "a"\nstate = "state"\nlisten = "tcp://127.0.0.1:0"\n'
        '[[folder]]\nid = "share"\npath = "share"\nsecret = "share.secret"\n'
    )
    code, said = interrupted_while_it_starts(command, ["-c", str(home / "peer.toml")], after_ms)
    assert code == 130 or (command == "agent" and code == 0), said  # 0: it ran, and stopped


def test_every_command_begins_where_ctrl_c_is_quiet() -> None:
    setup = ConfigParser()
    setup.read(Path(__file__).parents[3] / "setup.cfg")
    commands = setup["options.entry_points"]["console_scripts"].split("\n")
    begins = {line.partition("=")[2].strip().partition(":")[0] for line in commands if line}
    assert begins == {"leftzmq.cli.start"}


def test_a_reader_that_goes_away_ends_it(home: Path) -> None:
    process = subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": str(home)}, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(DEADLINE_S) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system of its own: root")
@pytest.mark.parametrize("left", [5, 18], ids=["for its own file", "for the agents"])
def test_a_disk_that_fills_up_is_a_sentence(home: Path, left: int) -> None:
    """left: MiB that are left a moment before the large file is made."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(home)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mount is not allowed here")
    try:
        run = Run(home)
        run.until("3.")
        fill(home, left)
        assert run.code() == 1
        assert "Traceback" not in run.text
        said = " ".join(run.text.split())
        assert ("No space left" if left < 16 else "of the disk would stay free") in said
        assert not list(home.glob("leftzmq-*"))
    finally:
        subprocess.run(["umount", str(home)], check=True)


def fill(home: Path, left: int) -> None:
    room = os.statvfs(home)
    with (home / "fill").open("wb") as file, suppress(OSError):
        file.write(bytes(max(room.f_bavail * room.f_frsize - (left << 20), 0)))


def test_a_port_that_somebody_took_meanwhile_is_named() -> None:
    with Stage() as stage:
        port = stage.actors[0].port
        with (
            socket.create_server(("127.0.0.1", port)),
            pytest.raises(LeftError, match=f"agent of A did not start .*{port}"),
        ):
            stage.actors[0].start()
    assert not stage.home.exists()


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_the_table_shows_what_proves_a_step_at_any_width(width: int) -> None:
    step = Step(3, "what [should] be", "it [was]", ok=True, seconds=1.0, proof="0123456789abcdef")
    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(_table([step], 1 << 24, width))
    lines = console.export_text().splitlines()
    assert "0123456789ab" in "".join(lines)
    assert any("it [was]" in line for line in lines)
    assert max(map(len, lines)) <= width


def test_an_agent_without_a_ready_line_is_told(tmp_path: Path) -> None:
    with Stage("A", tmp_path / "stage") as stage:
        (stage.actors[0].home / "peer.toml").write_text("nonsense")
        with pytest.raises(LeftError, match="did not start"):
            stage.actors[0].start()
        assert wait_until(lambda: not stage.actors[0].runs, 5)
