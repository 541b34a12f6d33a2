"""`leftzmq join` where something is odd: clocks, disks, networks, machines that sleep, and
strangers who sit at the door meanwhile."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest
from network import Network, missing, run

from leftzmq.cli.demo.stage import wait_until
from leftzmq.pairing.code import read_code
from leftzmq.statedir import read_secret
from tests.helpers.homes import SHARE, homes_in
from tests.helpers.machines import DEADLINE_S, Machine, soon

pytestmark = pytest.mark.slow

DAY_S = 86_400
LACKS = missing()


def shifted(machine: Machine, seconds: int) -> None:
    """From now on the wall clock of whatever is started on this machine is off by so much."""
    place = machine.home / "clock"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(
        "import time\n"
        "seconds, nanoseconds = time.time, time.time_ns\n"
        f"time.time = lambda: seconds() + {seconds}\n"
        f"time.time_ns = lambda: nanoseconds() + {seconds} * 10**9\n"
    )
    machine.env["PYTHONPATH"] = os.pathsep.join((str(place), os.environ.get("PYTHONPATH", "")))


@pytest.mark.parametrize("seconds", [-DAY_S, DAY_S])
def test_a_clock_that_is_a_day_off_keeps_nobody_out(a: Machine, b: Machine, seconds: int) -> None:
    shifted(b, seconds)
    a.write("notes/f", b"of alpha")
    b.joins(a.shares())
    assert b.has("here/f", b"of alpha")
    b.write("here/g", b"of beta")
    soon(lambda: a.has("notes/g", b"of beta"))
    b.write("here/f", b"edited by beta")
    soon(lambda: a.has("notes/f", b"edited by beta"))


def test_an_invitation_ends_when_its_time_is_over_although_the_clock_is_set_back(
    a: Machine, b: Machine
) -> None:
    code = a.shares("notes", "--ttl", "2s")
    os.kill(a.pid(), signal.SIGKILL)
    shifted(a, -DAY_S)
    a.does("up")
    soon(lambda: a.json("invite")["invitations"][0]["state"] == "expired")
    assert "time has run out" in b.refused("join", code, "here")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk")
def test_a_disk_that_is_too_small_is_said_and_the_same_line_goes_on(a: Machine, b: Machine) -> None:
    a.write("notes/large", os.urandom(20_000_000))
    place = b.home / "here"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], check=True)
    try:
        code = a.shares()
        found, said = b.run("join", code, "here", "--yes", "--timeout", "10")
        assert found == 3 and said.count("large: too little of the disk would stay free") == 1
        subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
        assert "The first sync is complete" in b.does("join", code, "here")
        b.down()
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.skipif(bool(LACKS), reason=f"needs {', '.join(LACKS)}")
def test_machines_that_have_ipv6_alone(tmp_path: Path) -> None:
    with Network(2) as network:
        for number, space in enumerate(network.spaces):
            run("ip", "-n", space, "addr", "flush", "dev", "eth")
            address = f"fd00:77::{number + 1}/64"
            run("ip", "-n", space, "addr", "add", address, "dev", "eth", "nodad")
        with homes_in(tmp_path, network) as (a, b):
            (a.home / SHARE).mkdir()
            (a.home / SHARE / "f").write_bytes(b"over IPv6")
            assert "The first sync is complete" in a.lets_in(b)
            assert b.file("f") == b"over IPv6"


@pytest.mark.long
@pytest.mark.skipif(bool(LACKS), reason=f"needs {', '.join(LACKS)}")
def test_a_machine_that_sleeps_half_way_goes_on_when_it_is_back(tmp_path: Path) -> None:
    large = os.urandom(100_000_000)
    with Network(2) as network, homes_in(tmp_path, network) as (a, b):
        (a.home / SHARE).mkdir()
        (a.home / SHARE / "large").write_bytes(large)
        sharing, code = a.shares()
        joining = b.types(f"exec leftzmq join {code}")
        soon(lambda: any((b.home / SHARE).rglob("*.lefting")))
        lock = b.home / ".local/state/leftzmq/lock"
        asleep = (int(lock.read_text()), joining.pid)
        network.swallow(1)
        for process in asleep:
            os.kill(process, signal.SIGSTOP)
        try:
            (a.home / SHARE / "meanwhile").write_bytes(b"written while beta slept")
            soon(lambda: not a.json("leftzmq peers")["peers"][0]["connected"], DEADLINE_S)
        finally:
            network.pass_again(1)
            for process in asleep:
                os.kill(process, signal.SIGCONT)
        said, _ = joining.communicate(timeout=DEADLINE_S)
        assert joining.returncode == 0, said
        assert b.file("large") == large
        soon(lambda: b.file("meanwhile") == b"written while beta slept")
        sharing.communicate(timeout=DEADLINE_S)
        assert sharing.returncode == 0


# ---- strangers at the door ----------------------------------------------------------------------


@contextmanager
def silent_ones(port: int, count: int) -> Iterator[None]:
    """So many connections of 50 sources that say nothing, begun at once."""
    with ExitStack() as open:
        for number in range(count):
            one = open.enter_context(closing(socket.socket()))
            one.bind((f"127.0.1.{1 + number % 50}", 0))
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        yield


def test_one_joins_beside_500_silent_connections(a: Machine, b: Machine) -> None:
    a.write("notes/f", b"of alpha")
    code = a.shares()
    with silent_ones(read_code(code).port, 500):
        b.joins(code)
    assert b.has("here/f", b"of alpha")


class Recorder:
    """Passes on what comes to its port, both ways, and keeps all of it. to: a port"""

    def __init__(self) -> None:
        self.seen, self.to = bytearray(), 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.to))
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(1 << 16):
                self.seen += data
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for one in self._open:
            one.close()


def test_who_records_a_join_and_gets_the_code_afterwards_has_nothing(
    machines: Callable[[str], Machine], a: Machine, b: Machine
) -> None:
    a.write("notes/f", b"of alpha")
    with closing(Recorder()) as recorder:
        code = a.shares("notes", "--address", f"localhost:{recorder.port}")
        read = read_code(code)
        recorder.to = read.port
        b.joins(code)
    (folder,) = a.json("folders")["folders"]
    secret = read_secret(next(a.state.glob("*.secret")))
    told = (secret, secret.hex().encode(), read.token, folder["id"].encode(), b"alpha", b"beta")
    assert recorder.seen, "the join did not come by"
    assert not [what for what in told if what in recorder.seen]
    assert "used" in machines("gamma").refused("join", code, "here")


# ---- kills --------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("moment_s", [0.15, 0.4, 0.55, 0.7, 0.85, 1.0, 1.2, 1.5])
@pytest.mark.parametrize("who", ["command", "joiner", "inviter", "all"])
def test_whoever_is_killed_whenever_the_same_line_goes_on(
    a: Machine, b: Machine, who: str, moment_s: float
) -> None:
    a.write("notes/f", os.urandom(3_000_000))
    code = a.shares()
    joining = b.start("join", code, "here")
    end = time.monotonic() + moment_s
    wait_until(lambda: time.monotonic() > end, DEADLINE_S)
    killed = {"command": "j", "joiner": "b", "inviter": "a", "all": "jba"}[who]
    with suppress(OSError, ValueError):  # perhaps its agent has not begun yet
        if "j" in killed:
            joining.kill()
        if "b" in killed:
            os.kill(b.pid(), signal.SIGKILL)
    if "a" in killed:
        os.kill(a.pid(), signal.SIGKILL)
        a.does("up")
    joining.communicate(timeout=DEADLINE_S)
    b.joins(code, "here", "--yes")
    assert b.has("here/f", (a.home / "notes/f").read_bytes())
    assert len(a.json("peers")["peers"]) == len(b.json("peers")["peers"]) == 1
