"""leftzmq up, down: an agent runs for a peer.toml, or none does.

Knows the order: one that runs is asked first, then systemd, then a process in the background. Must
not know how either of them is kept running (cli/service does).
"""

from __future__ import annotations

import argparse
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from leftzmq.cli.asking import add_config
from leftzmq.cli.service import systemd
from leftzmq.cli.service.background import Background
from leftzmq.cli.service.process import stop
from leftzmq.cli.shell import json_text
from leftzmq.config import load, load_device
from leftzmq.errors import AgentAway, ConfigError, LeftError, NotStarted
from leftzmq.statedir import check_state_dir, lock_holder, make_state_dir
from leftzmq.transport.ipc.client import ANSWER_S, ask, is_served

START_S: Final = 15.0
"""For an agent to answer from its start on; most take a second."""
LOOK_S: Final = 0.05
SHOWN_LINES: Final = 15
_PRIVATE_FILE: Final = 0o600
_TEXTS: Final = {
    "up": "make sure that the agent runs: as a service of yours (systemd), or in the background",
    "down": "stop the agent, however it was started",
}


def add_up(commands: Any) -> None:
    """Add `leftzmq up` and `leftzmq down` to the parser."""
    for name, text in _TEXTS.items():
        command = commands.add_parser(name, help=text, description=text)
        add_config(command)
        command.add_argument("--json", action="store_true", help="for scripts")


def up(options: argparse.Namespace) -> int:
    started = ensure_agent(options.config, _quiet if options.json else print)
    if options.json:
        device = load_device(options.config.absolute())
        process = lock_holder(device.state)
        print(json_text({"device": device.name, "started": started, "process": process}))
    return 0


def down(options: argparse.Namespace) -> int:
    device, stopped = stop_agent(options.config)
    if options.json:
        print(json_text({"device": device, "stopped": stopped}))
    else:
        print("the agent was stopped" if stopped else "no agent runs")
    return 0


def ensure_agent(file: Path, say: Callable[[str], None]) -> bool:
    """Return when an agent runs for `file` and answers; whether it was started now. say: called
    with the sentence about it.

    ConfigError: peer.toml or its state is wrong; nothing was started. NotStarted: the agent ended,
    or did not answer within START_S; its last lines are in the error. LeftError: another device's
    agent has the state, another start is stuck, or systemd refused.
    """
    file = _spelled(file)
    device = load(file).device
    state, deadline = make_state_dir(device.state), time.monotonic() + START_S
    with _turn(state, deadline):
        starting: Background | systemd.Service | None = None
        while not (name := _name_told(state, deadline)):
            runs = lock_holder(state) is not None or is_served(state)
            if starting is None and not runs:  # there was none, or it ended just now
                starting = _start(file, state)
            elif starting is not None and starting.has_ended():
                if not runs:
                    raise _not_started("the agent ended", starting)
                starting = None  # one that was started otherwise was faster
            if time.monotonic() >= deadline:
                raise _silent(state, starting)
            time.sleep(LOOK_S)
        holder = lock_holder(state)
    if name != device.name:
        what = f"the agent that runs there is {name}, and {file} says {device.name}"
        do = "`leftzmq down` and `leftzmq up` begin as it says now; two devices need two states"
        raise LeftError(what, str(state), do)
    of_process = "" if holder is None else f" (process {holder})"
    if starting is None or starting.pid not in (None, holder):
        say(f"an agent of {device.name} runs already{of_process}")
        return False
    say(f"the agent of {device.name} was started{of_process} {starting.said}")
    return True


def stop_agent(file: Path) -> tuple[str, bool]:
    """Stop the agent of `file`, and return the device's name and whether one ran. Raises LeftError
    if it does not end, or is none of ours."""
    file = _spelled(file)
    device = load_device(file)
    stopped = False
    service = systemd.Service(file)
    if service.is_ours and systemd.has_manager():
        stopped = service.runs()
        service.stop()
    if not device.state.is_dir():
        return device.name, stopped
    check_state_dir(device.state)
    state = device.state.resolve()
    if stop(state) is not None:
        return device.name, True
    if is_served(state):
        what = "an agent runs there, and its process is not known"
        raise LeftError(what, str(state), "end it where it was started")
    return device.name, stopped


def _start(file: Path, state: Path) -> Background | systemd.Service:
    if systemd.has_manager():
        service = systemd.Service(file)
        service.start()
        return service
    background = Background(file, state)
    background.start()
    return background


def _name_told(state: Path, deadline: float) -> str:
    """Return the name of the device whose agent answers there; "" while none does."""
    if not is_served(state):
        return ""
    left_s = deadline - time.monotonic()
    try:
        answer = ask(state, "status", timeout_s=max(LOOK_S, min(ANSWER_S, left_s)))
    except AgentAway:
        return ""
    return str(answer.get("device", ""))


def _spelled(file: Path) -> Path:
    """Return the one spelling of this peer.toml. A link to it stays one: what the file says is
    relative to the link."""
    return file.parent.resolve() / file.name


@contextmanager
def _turn(state: Path, deadline: float) -> Iterator[None]:
    """Only one command starts an agent on this state; the others wait for it. Raises ConfigError;
    LeftError after the deadline (monotonic seconds)."""
    path = state / "up.lock"
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(path, flags, _PRIVATE_FILE)
    except OSError as error:
        do = "name a state that this user may write to, in [device]"
        raise ConfigError(f"cannot be used: {error.strerror}", str(path), do) from None
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    what = f"another command has been starting an agent for {START_S:.0f} s"
                    raise LeftError(what, str(state), "see what it says") from None
            time.sleep(LOOK_S)
        yield
    finally:
        os.close(lock)


def _not_started(what: str, starting: Background | systemd.Service) -> NotStarted:
    if isinstance(starting, systemd.Service):
        what += "; systemd may start it again, until `leftzmq down`"
        where = starting.name
    else:
        where = str(starting.log)
    return NotStarted(what, where, f"\n{starting.log_tail(SHOWN_LINES)}\n")


def _silent(state: Path, starting: Background | systemd.Service | None) -> LeftError:
    silent = f"did not answer within {START_S:.0f} s"
    if starting is not None:
        return _not_started(f"the agent {silent}", starting)
    holder = lock_holder(state)
    process = "" if holder is None else f" (process {holder})"
    return AgentAway(f"the agent{process} {silent}", str(state), "`leftzmq down` stops it")


def _quiet(text: str) -> None:
    """Say nothing: the object that --json prints has it."""
