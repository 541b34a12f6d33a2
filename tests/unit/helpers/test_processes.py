"""A process that the nursery forked is as one that was started by exec."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import wait_until
from tests.helpers import processes

pytestmark = pytest.mark.slow  # it starts processes

DEADLINE_S = 20.0
COMMAND = [sys.executable, "-m", "probe"]
PIPE: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
SAYS = r"""
import gc, json, locale, os, signal, sys, threading, time
from pathlib import Path

open_at_first = sorted(map(int, os.listdir("/proc/self/fd")))[:-1]  # the last one is of the listing
has_session = os.getsid(0) == os.getpid()
streams = sys.stdin, sys.stdout, sys.stderr
print(json.dumps({
    "words": sys.argv, "all words": sys.orig_argv, "name": __name__, "spec": __spec__.name,
    "shown": os.fsdecode(Path("/proc/self/cmdline").read_bytes()).rstrip("\0").split("\0"),
    "env": dict(os.environ), "zone": time.tzname, "path": sys.path, "flags": str(sys.flags),
    "cwd": os.getcwd(), "umask": os.umask(0),
    "session": "own" if has_session else [os.getsid(0), os.getpgid(0)],
    "signals": {int(n): str(signal.getsignal(n)).split(" at ")[0] for n in signal.valid_signals()},
    "masked": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, ())],
    "streams": [
        [s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines, s.fileno()]
        for s in streams
    ],
    "same": streams == (sys.__stdin__, sys.__stdout__, sys.__stderr__),
    "open": open_at_first, "targets": [os.readlink(f"/proc/self/fd/{n}") for n in (0, 2)],
    "inherited": os.get_inheritable(1), "threads": threading.active_count(),
    "collects": gc.isenabled(), "thresholds": gc.get_threshold(),
    "locale": locale.setlocale(locale.LC_ALL),
}, sort_keys=True))
"""

Probe = Callable[[str], Path]


@pytest.fixture(scope="module", autouse=True)
def buffered() -> Iterator[None]:
    """PYTHONUNBUFFERED, which whoever runs the tests may have set, would hide how streams are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTHONUNBUFFERED", raising=False)
        processes.end()  # its nursery has it
        yield
    processes.end()


@pytest.fixture
def probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Probe:
    """Write the code of a module that may be forked. Return where it can be found."""
    monkeypatch.setattr(processes, "MODULES", ("probe",))

    def write(code: str) -> Path:
        (tmp_path / "probe.py").write_text(code)
        return tmp_path

    return write


@pytest.fixture
def kept() -> Iterator[list[processes.Process[Any]]]:
    """Processes that are killed at the end."""
    made: list[processes.Process[Any]] = []
    yield made
    for process in made:
        process.kill()
        process.communicate()


def both(command: list[str], **options: Any) -> tuple[Any, Any]:
    """Run it after an exec, and as a fork."""
    options = {"capture_output": True, "text": True, "timeout": DEADLINE_S} | options
    return subprocess.run(command, **options), processes.run(command, **options)


# ---- what it is at first ------------------------------------------------------------------------


def test_it_finds_what_it_would_find_after_an_exec(
    probe: Probe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HERE", "and nowhere else")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.delenv("HOME", raising=False)
    cwd = probe(SAYS)
    command = [*COMMAND, "one", "-x", "thr ee", "", "caf\udce9"]
    executed, forked = both(command, cwd=cwd, env=dict(os.environ))
    assert (forked.returncode, forked.stderr) == (0, "") and '"open": [0, 1, 2]' in forked.stdout
    assert without_pipes(forked.stdout) == without_pipes(executed.stdout)


def without_pipes(said: str) -> str:
    return "".join(each for each in said.split('"') if not each.startswith("pipe:["))


def test_options_mean_what_they_mean_to_subprocess(probe: Probe) -> None:
    env = {"PATH": os.environ["PATH"], "ONLY": "this"}
    env |= {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    env |= {name: value for name, value in os.environ.items() if name.startswith(("LC_", "LANG"))}
    options = {"env": env, "start_new_session": True, "stdin": subprocess.DEVNULL}
    before = os.umask(0o027)
    try:
        executed, forked = both(COMMAND, cwd=probe(SAYS), **options)
    finally:
        os.umask(before)
    assert without_pipes(forked.stdout) == without_pipes(executed.stdout)
    assert '"session": "own"' in forked.stdout and '"umask": 23' in forked.stdout


def test_a_line_to_a_terminal_goes_at_once(
    probe: Probe, kept: list[processes.Process[Any]]
) -> None:
    ours, theirs = os.openpty()
    cwd = probe("import time; print('runs'); time.sleep(60)")
    kept.append(processes.start(COMMAND, cwd=cwd, stdin=theirs, stdout=theirs))
    os.close(theirs)
    assert select.select([ours], [], [], DEADLINE_S)[0] and os.read(ours, 99) == b"runs\r\n"
    os.close(ours)


@pytest.mark.parametrize("module", processes.MODULES)
def test_each_module_runs_as_main_and_finds_nothing_odd(module: str) -> None:
    command = [sys.executable, "-m", module, "--help"]
    executed, forked = both(command, env=dict(os.environ))
    assert forked.returncode == executed.returncode == 0
    assert forked.stdout == executed.stdout and forked.stderr == ""


def test_ctrl_c_stays_ignored_for_what_was_started_so(probe: Probe, tmp_path: Path) -> None:
    """As a shell does for what it starts with &."""
    probe(SAYS)
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    code += "from tests.helpers import processes; import sys; processes.MODULES = ('probe',)\n"
    code += f"processes.run([sys.executable, '-m', 'probe'], cwd={str(tmp_path)!r})"
    root = Path(processes.__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert '"2": "1"' in said.stdout, said.stderr


def test_chance_is_its_own(probe: Probe) -> None:
    cwd = probe("import os, random, uuid; print(random.random(), os.urandom(4), uuid.uuid4())")
    said = {processes.run(COMMAND, cwd=cwd, stdout=subprocess.PIPE).stdout for _ in range(3)}
    assert len({each.split()[0] for each in said}) == 3


def test_what_others_of_it_have_open_is_not_its_own(
    probe: Probe, kept: list[processes.Process[Any]]
) -> None:
    """Else the first would wait for the end of its input as long as the second runs."""
    cwd = probe("import sys; sys.stdin.read()")
    kept += [processes.start(COMMAND, cwd=cwd, **PIPE) for _ in range(2)]
    first, second = kept
    assert first.stdin is not None and second.poll() is None
    first.stdin.close()
    assert first.wait(DEADLINE_S) == 0 and second.poll() is None


# ---- how it ends --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "pass",
        "import sys; sys.exit(3)",
        "import sys; sys.exit(-1)",
        "import sys; sys.exit(259)",
        "import sys; sys.exit('a sentence')",
        "import sys; sys.exit(None)",
        "import os; os._exit(7)",
        "1 / 0",
        "def f(): raise KeyboardInterrupt\nf()",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(9)",
        "import os; os.kill(os.getpid(), 9)",
        "import os; os.kill(os.getpid(), 15); import time; time.sleep(9)",
        "import atexit; atexit.register(print, 'at the end'); print('before')",
        "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('a thread'))).start()",
        "from concurrent.futures import ThreadPoolExecutor as P; P().submit(print, 'in a pool')",
        "import sys; sys.stderr.write('half a line')",
        "print('to be flushed'); import os; os.close(1)",
        "print('to be flushed', end=''); raise SystemExit(4)",
        "nonsense here",
    ],
)
def test_it_ends_as_after_an_exec(probe: Probe, code: str) -> None:
    executed, forked = both(COMMAND, cwd=probe(code))
    assert forked.returncode == executed.returncode
    assert forked.stdout == executed.stdout
    assert below_runpy(forked.stderr) == below_runpy(executed.stderr)


def below_runpy(said: str) -> list[str]:
    """Return what is said below the frames of what runs a module."""
    lines = said.splitlines()
    frames = [n for n, line in enumerate(lines) if "runpy" in line or "nursery.py" in line]
    return lines[max(frames, default=-1) + 1 :] if "SyntaxError" not in said else lines[-1:]


def test_an_output_that_cannot_be_written_is_an_exit_code(probe: Probe) -> None:
    cwd = probe("print('x')")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        executed, forked = (
            run(COMMAND, cwd=cwd, stdout=full, stderr=subprocess.PIPE, text=True)
            for run in (subprocess.run, processes.run)
        )
    assert forked.returncode == executed.returncode == 120
    assert below_runpy(forked.stderr) == below_runpy(executed.stderr)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1])
def test_a_signal_ends_it(
    probe: Probe, kept: list[processes.Process[Any]], number: signal.Signals
) -> None:
    cwd = probe("import time; print('runs', flush=True); time.sleep(60)")
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = processes.start(COMMAND, cwd=cwd, text=True, **streams)
    kept.append(process)
    assert isinstance(process, processes.Forked), "else this module tries nothing"
    assert process.stdout is not None and process.stdout.readline() == "runs\n"
    assert process.poll() is None and process.returncode is None
    os.kill(process.pid, number)
    assert process.wait(DEADLINE_S) == -number == process.poll() == process.returncode
    process.send_signal(number)  # as Popen: nothing, once it has ended


def test_nothing_is_left_of_one_that_nobody_waits_for(
    probe: Probe, kept: list[processes.Process[Any]]
) -> None:
    kept.append(processes.start(COMMAND, cwd=probe("raise SystemExit(5)")))
    assert wait_until(lambda: not Path(f"/proc/{kept[0].pid}").exists(), DEADLINE_S)
    # It is gone before the one that made it has told how it ended.
    assert wait_until(lambda: kept[0].poll() is not None, DEADLINE_S)
    assert kept[0].poll() == 5


def test_one_that_cannot_begin_is_an_error(probe: Probe, tmp_path: Path) -> None:
    probe("pass")
    with pytest.raises(ChildProcessError):
        processes.start(COMMAND, cwd=tmp_path / "nowhere", stderr=subprocess.DEVNULL)
    assert processes.run(COMMAND, cwd=tmp_path).returncode == 0, "the next one begins"


# ---- what is read and written -------------------------------------------------------------------


@pytest.mark.parametrize("text", [False, True])
def test_more_than_a_pipe_holds_goes_in_and_comes_out(probe: Probe, text: bool) -> None:
    code = "import sys, shutil; sys.stderr.write('e' * 300000)\n"
    code += "shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
    typed: Any = "a line\n" * 300_000 if text else b"a line\n" * 300_000
    _, done = both(COMMAND, cwd=probe(code), text=text, input=typed)
    assert done.returncode == 0
    assert done.stdout == typed and len(done.stderr) == 300_000


def test_one_that_does_not_read_its_input_ends(probe: Probe) -> None:
    done = processes.run(COMMAND, cwd=probe("pass"), input=bytes(1 << 20), timeout=DEADLINE_S)
    assert done.returncode == 0 and done.stdout is None


def test_a_wait_that_is_too_long_is_over_and_nothing_is_lost(
    probe: Probe, kept: list[processes.Process[Any]]
) -> None:
    cwd = probe("print('first', flush=True); input(); print('second\\r\\nthird')")
    process = processes.start(COMMAND, cwd=cwd, text=True, **PIPE)
    kept.append(process)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    assert process.stdout is not None and process.stdin is not None
    began = time.monotonic()
    process.stdin.write("go on\n")
    said, errors = process.communicate(timeout=DEADLINE_S)
    assert said == "first\nsecond\nthird\n" and errors is None
    assert time.monotonic() - began < DEADLINE_S
    waits = processes.start([*COMMAND, "again"], cwd=cwd, text=True, **PIPE)
    kept.append(waits)
    os.kill(waits.pid, signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        waits.communicate("typed\n", timeout=0.3)
    os.kill(waits.pid, signal.SIGCONT)
    assert waits.communicate(timeout=DEADLINE_S)[0] == "first\nsecond\nthird\n"


def test_a_command_that_must_succeed_and_fails_is_an_error(probe: Probe) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        processes.run(COMMAND, cwd=probe("raise SystemExit(1)"), check=True)
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run(COMMAND, cwd=probe("import time; time.sleep(60)"), timeout=0.2)


# ---- what is not forked, and how long the nursery lives -----------------------------------------


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ([sys.executable, "-P", "-m", "leftzmq.cli.admin", "--version"], {}),
        (["env", sys.executable, "-m", "leftzmq.cli.admin", "--version"], {}),
        ([sys.executable, "-c", "pass"], {}),
        ([sys.executable, "-m", "leftzmq.cli.demo.keeper", "/nowhere"], {}),
        ([sys.executable, "-m", "leftzmq.cli.admin", "x" * 5000], {}),
        (
            [sys.executable, "-m", "leftzmq.cli.admin", "--version"],
            {"env": os.environ | {"PYTHONIOENCODING": "ascii"}},
        ),
        (
            [sys.executable, "-m", "leftzmq.cli.admin", "--version"],
            {"preexec_fn": lambda: None},
        ),
    ],
    ids=["option", "wrapped", "code", "module", "long", "variable", "preexec"],
)
def test_what_would_not_be_the_same_is_started_by_exec(
    command: list[str], options: dict[str, Any]
) -> None:
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    with processes.start(command, **streams, **options) as process:
        assert isinstance(process, subprocess.Popen)


OWNER = """
import sys, time
from tests.helpers import processes
processes.MODULES = ("probe",)
child = processes.start([sys.executable, "-m", "probe"], cwd=sys.argv[1])
(nursery,) = processes._nurseries.values()
print(nursery._process.pid, child.pid, flush=True)
sys.stdin.readline()
processes.end()
"""


@pytest.mark.parametrize("is_killed", [False, True])
def test_it_ends_with_its_owner_and_what_it_forked_goes_on(probe: Probe, is_killed: bool) -> None:
    cwd = probe("import time; time.sleep(60)")
    root = Path(processes.__file__).parents[2]
    command = [sys.executable, "-c", OWNER, str(cwd)]
    with subprocess.Popen(command, cwd=root, text=True, **PIPE) as owner:
        assert owner.stdout is not None and owner.stdin is not None
        nursery, child = map(int, owner.stdout.readline().split())
        assert Path(f"/proc/{nursery}").exists()
        if is_killed:
            owner.kill()
    try:
        assert wait_until(lambda: ended(nursery), DEADLINE_S)
        assert not ended(child)
    finally:
        os.kill(child, signal.SIGKILL)
    assert wait_until(lambda: ended(child), DEADLINE_S)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
