"""`leftzmq share --ask`: nobody comes in without a person's yes, at the screen or by a command."""

from __future__ import annotations

import os
import re
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.helpers import processes
from tests.helpers.machines import DEADLINE_S, Machine, soon

QUESTION = "Let it in? [y/N] "
SHARE = ("share", "notes", "--address", "localhost", "--ask")


class Terminal:
    """`leftzmq share --ask` at a terminal. said: all that is on the screen."""

    def __init__(self, machine: Machine, *options: str) -> None:
        self._ours, theirs = os.openpty()
        self.process = machine.start(*SHARE, *options, stdin=theirs, stdout=theirs)
        os.close(theirs)
        self.said, self._read = "", 0
        self.reads_until("Waiting for it")
        found = re.search(r"leftzmq join (lz1-\S+)", self.said)
        assert found is not None
        self.code = found[1]

    def reads_until(self, what: str) -> str:
        """Read on until this is said behind what was read before. Return what is new."""
        deadline = time.monotonic() + DEADLINE_S
        while what not in self.said[self._read :]:
            assert self._reads(deadline - time.monotonic()), f"not said: {what!r}\n{self.said}"
        end = self.said.index(what, self._read) + len(what)
        new, self._read = self.said[self._read : end], end
        return new

    def _reads(self, within_s: float) -> bool:
        if within_s <= 0 or not select.select([self._ours], [], [], within_s)[0]:
            return False
        with suppress(OSError):
            data = os.read(self._ours, 4096)
            self.said += data.decode()
            return bool(data)
        return False  # the command ended

    def types(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def ends(self) -> int:
        while self._reads(DEADLINE_S):
            pass
        code = self.process.wait(DEADLINE_S)
        print(self.said)
        assert "Traceback" not in self.said
        return code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def terminal(a: Machine) -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def at(*options: str) -> Terminal:
        made.append(Terminal(a, *options))
        return made[-1]

    yield at
    for one in made:
        one.close()


@pytest.fixture
def joining() -> Iterator[Callable[..., processes.Process[str]]]:
    made: list[processes.Process[str]] = []

    def start(machine: Machine, code: str, *options: str) -> processes.Process[str]:
        made.append(machine.start("join", code, "here", *options))
        return made[-1]

    yield start
    for one in made:
        one.kill()
        one.communicate()


def ended(joining: processes.Process[str], code: int = 0) -> str:
    said, _ = joining.communicate(timeout=DEADLINE_S)
    print(said)
    assert joining.returncode == code, said
    assert "Traceback" not in said
    return said


def waiting(machine: Machine) -> list[dict[str, Any]]:
    return [one for each in machine.json("invite")["invitations"] for one in each["waiting"]]


def invites(machine: Machine, *options: str) -> str:
    return machine.shares("notes", "--ask", *options)


# ---- at the screen ------------------------------------------------------------------------------


def test_a_device_comes_in_after_a_y_and_what_was_typed_before_is_none(
    a: Machine,
    b: Machine,
    terminal: Callable[..., Terminal],
    joining: Callable[..., processes.Process[str]],
) -> None:
    a.write("notes/f", b"bytes")
    screen = terminal()
    screen.types("y\ny\n")
    joins = joining(b, screen.code)
    asked = screen.reads_until(QUESTION)
    key = b.does("id").strip()
    assert f"beta (key {key[:13]}..., from " in asked
    assert re.search(r"from (127\.0\.0\.1|::1)\) wants to join notes-\w{4}\. Let", asked)
    assert a.json("peers")["peers"] == [] and not b.has("here/f", b"bytes")
    screen.types("perhaps\n")
    assert "That is no answer" in screen.reads_until(QUESTION)
    screen.types("y\n")
    said = ended(joins)
    assert said.count("waiting for a yes at the other machine") == 1
    assert f"key {key[:13]}" in said and b.has("here/f", b"bytes")
    assert screen.ends() == 0
    assert "beta is let in." in screen.said and "beta has joined." in screen.said


def test_enter_alone_is_a_no_and_it_can_be_taken_back(
    a: Machine,
    b: Machine,
    terminal: Callable[..., Terminal],
    joining: Callable[..., processes.Process[str]],
) -> None:
    screen = terminal()
    joins = joining(b, screen.code)
    screen.reads_until(QUESTION)
    screen.types("\n")
    assert "a person there said no" in ended(joins, 1)
    screen.reads_until("beta is told no.")
    assert b.json("folders")["folders"] == [] and not (b.home / "here").exists()
    assert "said no" in b.refused("join", screen.code, "here"), "it is asked no more"
    (invitation,) = a.json("invite")["invitations"]
    assert invitation["state"] == "open" and invitation["uses_left"] == 1
    assert "let into" in a.does("invite", "allow", "beta")
    b.joins(screen.code)
    assert screen.ends() == 0 and screen.said.count(QUESTION) == 1


@pytest.mark.long
def test_two_that_wait_are_asked_about_one_after_the_other(
    a: Machine,
    b: Machine,
    machines: Callable[[str], Machine],
    terminal: Callable[..., Terminal],
    joining: Callable[..., processes.Process[str]],
) -> None:
    c = machines("gamma")
    screen = terminal()
    both = {one.name: joining(one, screen.code) for one in (b, c)}
    soon(lambda: len(waiting(a)) == 2)
    first = "beta" if "beta (key" in screen.reads_until(QUESTION) else "gamma"
    (second,) = both.keys() - {first}
    screen.types("no\n")
    assert f"{second} (key" in screen.reads_until(QUESTION)
    screen.types("yes\n")
    assert "said no" in ended(both[first], 1)
    ended(both[second])
    assert screen.ends() == 0
    assert [peer["name"] for peer in a.json("peers")["peers"]] == [second]


@pytest.mark.long
def test_one_is_asked_about_while_another_one_gets_its_files(
    a: Machine,
    b: Machine,
    machines: Callable[[str], Machine],
    terminal: Callable[..., Terminal],
    joining: Callable[..., processes.Process[str]],
) -> None:
    """The first one's agent is stopped, so its first sync does not end."""
    c = machines("gamma")
    screen = terminal("--uses", "2")
    joining(b, screen.code)
    screen.reads_until(QUESTION)
    os.kill(b.pid(), signal.SIGSTOP)
    try:
        screen.types("y\n")
        screen.reads_until("beta has joined.")
        joins = joining(c, screen.code)
        assert "gamma" in screen.reads_until(QUESTION)
        screen.types("y\n")
        ended(joins)
    finally:
        os.kill(b.pid(), signal.SIGCONT)


@pytest.mark.long
@pytest.mark.parametrize("end", ["cancel", "time", "answered elsewhere"])
def test_a_question_that_needs_no_answer_any_more_ends(
    a: Machine,
    b: Machine,
    terminal: Callable[..., Terminal],
    joining: Callable[..., processes.Process[str]],
    end: str,
) -> None:
    screen = terminal("--ttl", "6s" if end == "time" else "10m")
    joins = joining(b, screen.code)
    screen.reads_until(QUESTION)
    if end == "cancel":
        a.does("invite", "cancel")
        assert "cancelled" in ended(joins, 1)
    elif end == "time":
        assert "time has run out" in ended(joins, 1)
    else:
        a.does("invite", "refuse", "beta")
        assert "said no" in ended(joins, 1)
    screen.reads_until("beta waits for no answer any more.")
    if end != "answered elsewhere":
        assert screen.ends() == 3 and "The invitation is" in screen.said


@pytest.mark.long
def test_ctrl_c_at_the_question_leaves_the_invitation_open(
    a: Machine,
    b: Machine,
    terminal: Callable[..., Terminal],
    joining: Callable[..., processes.Process[str]],
) -> None:
    screen = terminal()
    joins = joining(b, screen.code)
    screen.reads_until(QUESTION)
    screen.process.send_signal(signal.SIGINT)
    assert screen.ends() == 130 and "stays open. leftzmq invite allow" in screen.said
    assert a.json("invite")["invitations"][0]["state"] == "open"
    a.does("invite", "allow", waiting(a)[0]["key"])
    ended(joins)


# ---- by a command -------------------------------------------------------------------------------


def test_who_waits_is_listed_and_let_in_by_name_or_key(
    a: Machine,
    b: Machine,
    machines: Callable[[str], Machine],
    joining: Callable[..., processes.Process[str]],
) -> None:
    other = machines("gamma")
    other.config.write_text(other.config.read_text().replace('"gamma"', '"beta"'))
    code = invites(a)
    both = {one.does("id").strip(): joining(one, code) for one in (b, other)}
    soon(lambda: len(waiting(a)) == 2)
    listed = a.does("invite")
    assert all(f"leftzmq invite allow {key[:13]}" in listed for key in both)
    said = a.refused("invite", "allow", "beta", code=2)
    assert "fits several devices" in said and all(key in said for key in both)
    assert "waits at no invitation" in a.refused("invite", "refuse", "delta", code=2)
    assert "waits at no invitation" in a.refused("invite", "allow", "", code=2)
    assert "at no invit" in a.refused("invite", "allow", "beta", "--folder", "x", code=2)
    ours = b.does("id").strip()
    answer = a.json("invite", "allow", ours[:13].upper())
    assert answer["yes"] and answer["key"] == ours
    ended(both.pop(ours))
    (theirs,) = both
    assert "used already by beta" in ended(both[theirs], 1)
    assert [peer["key"] for peer in a.json("peers")["peers"]] == [ours]


@pytest.mark.long
def test_a_command_without_a_terminal_says_which_one_answers(
    a: Machine, b: Machine, joining: Callable[..., processes.Process[str]]
) -> None:
    said = a.does(*SHARE, "--no-wait")
    assert "invite allow NAME|KEY" in said
    a.does("invite", "cancel")
    sharing = a.start(*SHARE)
    assert sharing.stdout is not None
    code = next(line for line in sharing.stdout if line.startswith("    leftzmq join "))
    joins = joining(b, code.split()[-1])
    told = next(line for line in sharing.stdout if "wants to join" in line)
    command = re.search(r": leftzmq (invite allow \S+), or leftzmq invite refuse", told)
    assert command is not None and told.startswith("beta (key ")
    a.does(*command[1].split())
    ended(joins)
    rest, _ = sharing.communicate(timeout=DEADLINE_S)
    assert sharing.returncode == 0 and "wants to join" not in rest


@pytest.mark.long
def test_who_waits_goes_on_after_the_inviters_agent_was_killed_and_a_yes_holds(
    a: Machine, b: Machine, joining: Callable[..., processes.Process[str]]
) -> None:
    joins = joining(b, invites(a))
    soon(lambda: waiting(a))
    os.kill(a.pid(), signal.SIGKILL)
    a.does("up")
    soon(lambda: waiting(a))
    joins.send_signal(signal.SIGSTOP)
    a.does("invite", "allow", "beta")
    os.kill(a.pid(), signal.SIGKILL)
    a.does("up")
    assert a.json("peers")["peers"] == [] and waiting(a) == []
    joins.send_signal(signal.SIGCONT)
    ended(joins)


@pytest.mark.long
def test_a_joiner_that_is_interrupted_leaves_nothing_and_may_come_again(
    a: Machine, b: Machine, joining: Callable[..., processes.Process[str]]
) -> None:
    code = invites(a)
    joins = joining(b, code)
    soon(lambda: waiting(a))
    joins.send_signal(signal.SIGINT)
    ended(joins, 130)
    assert not (b.home / "here").exists() and b.json("folders")["folders"] == []
    assert "nobody said yes" in ended(joining(b, code, "--timeout", "3"), 3)
    a.does("invite", "allow", "beta")
    b.joins(code)


@pytest.mark.long
def test_words_lead_to_the_same_question_and_their_code_is_said_to_who_gives_up(
    b: Machine,
    terminal: Callable[..., Terminal],
    joining: Callable[..., processes.Process[str]],
) -> None:
    screen = terminal()
    found = re.search(r"leftzmq join (\d [a-z-]+@localhost\S*)", screen.said)
    assert found is not None, screen.said
    joins = b.start("join", *found[1].split(), "here")
    screen.reads_until(QUESTION)
    joins.send_signal(signal.SIGINT)
    said = ended(joins, 130)
    assert "waiting for a yes" in said and f"leftzmq join {screen.code}" in said
    joins = joining(b, screen.code)
    screen.types("y\n")
    ended(joins)
    assert screen.ends() == 0


@pytest.mark.parametrize("words", [("allow",), ("refuse",), ("allow", "a", "b")])
def test_an_answer_without_a_name_starts_nothing(a: Machine, words: tuple[str, ...]) -> None:
    a.refused("invite", *words, code=2)
    assert not a.state.exists()
