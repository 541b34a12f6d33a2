"""Two commands on two machines with clean homes, `leftzmq share` and `leftzmq join`, and everything
that can be wrong with them."""

from __future__ import annotations

import json
import os
import pty
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import free_ports, wait_until
from leftzmq.transport.ipc.client import ask
from tests.helpers.machines import DEADLINE_S, SOON_S, Machine, json_of, soon

# ---- two commands -------------------------------------------------------------------------------


def test_two_commands_and_both_have_the_same_and_edits_go_both_ways(a: Machine, b: Machine) -> None:
    first = os.urandom(3_000_000)
    a.write("notes/d/first", first)
    sharing = a.start("share", "notes", "--address", "localhost")
    assert sharing.stdout is not None
    code = next(line for line in sharing.stdout if line.startswith("    leftzmq join "))
    said = b.joins(code.split()[-1])
    assert b.has("here/d/first", first) and "The first sync is complete." in said
    rest, _ = sharing.communicate(timeout=DEADLINE_S)
    print(rest)
    assert sharing.returncode == 0
    assert "beta has joined." in rest and "beta and this device have the same" in rest
    b.write("here/second", b"of beta")
    soon(lambda: a.has("notes/second", b"of beta"))
    a.write("notes/second", b"edited by alpha")
    soon(lambda: b.has("here/second", b"edited by alpha"))
    assert "joined" in a.log() and "being opened" not in a.log()


def test_what_was_learnt_is_shown_with_where_it_comes_from(a: Machine, b: Machine) -> None:
    b.joins(a.shares())
    (folder,) = a.json("folders")["folders"]
    assert folder["origin"] == "leftzmq share" and folder["path"] == str(a.home / "notes")
    (joined,) = b.json("folders", "list")["folders"]
    assert joined["origin"] == "by an invitation" and joined["id"] == folder["id"]
    (peer,) = b.json("peers")["peers"]
    assert peer["name"] == "alpha" and peer["connected"] and peer["origin"] == "by an invitation"
    assert peer["addresses"] == [f"tcp://localhost:{a.port}"]
    told = b.does("peers")
    assert peer["key"] in told and max(map(len, told.splitlines())) <= 80, told
    (peer,) = a.json("peers")["peers"]
    assert peer["name"] == "beta" and peer["origin"] == "invited by this device"
    (invitation,) = a.json("invite")["invitations"]
    assert invitation["state"] == "used up"
    assert [one["name"] for one in invitation["came_in"]] == ["beta"]
    assert a.config.read_text().startswith("[device]") and "peer" not in a.config.read_text()[10:]


@pytest.mark.long
def test_it_goes_on_after_both_agents_were_killed(a: Machine, b: Machine) -> None:
    b.joins(a.shares())
    for machine in (a, b):
        os.kill(machine.pid(), signal.SIGKILL)
    a.write("notes/later", b"written while nobody ran")
    for machine in (a, b):
        machine.does("up")
    soon(lambda: b.has("here/later", b"written while nobody ran"))


@pytest.mark.long
def test_a_code_is_asked_for_where_none_is_given(a: Machine, b: Machine) -> None:
    code = a.shares()
    found, said = b.run("join", typed=f"  {code.upper()}\n")
    assert found == 0, said
    assert (b.home / "notes").is_dir(), "left out, DIR is the folder's name, here"


@pytest.mark.long
def test_an_invitation_of_two_uses_lets_two_in_whatever_their_names_are(
    a: Machine, b: Machine, machines: Callable[[str], Machine]
) -> None:
    c = machines("gamma")
    c.config.write_text(c.config.read_text().replace('"gamma"', '"beta"'))
    code = a.shares("notes", "--uses", "2")
    a.write("notes/f", b"bytes")
    b.joins(code)
    c.joins(code)
    assert b.has("here/f", b"bytes") and c.has("here/f", b"bytes")
    assert sorted(peer["name"] for peer in a.json("peers")["peers"]) == ["beta", "beta-2"]


def test_machines_of_one_host_name_are_called_one_thing_by_all(
    a: Machine, b: Machine, machines: Callable[[str], Machine]
) -> None:
    c = machines("gamma")
    for machine in (a, b, c):
        machine.makes_config("ubuntu")
    code = a.shares("notes", "--uses", "2")
    said = b.joins(code)
    assert "another device there is ubuntu: this one is ubuntu-2 from now on" in said
    assert "of ubuntu, at" in said
    assert b.json("status")["device"] == "ubuntu-2"
    c.joins(code)
    called = {"ubuntu", "ubuntu-2", "ubuntu-3"}
    for machine, name in ((a, "ubuntu"), (b, "ubuntu-2"), (c, "ubuntu-3")):
        soon(lambda machine=machine, own=name: names_known_to(machine) == called - {own})  # type: ignore[misc]
    assert 'name = "ubuntu-2"' in b.config.read_text()
    b.write("here/f", b"of the second")
    soon(lambda: c.has("here/f", b"of the second"))


def names_known_to(machine: Machine) -> set[str]:
    return {peer["name"] for peer in machine.json("peers")["peers"]}


def test_a_name_that_a_person_wrote_stays(a: Machine, b: Machine) -> None:
    for machine in (a, b):
        machine.makes_config("ubuntu")
    b.config.write_text(b.config.read_text() + "# mine\n")
    said = b.joins(a.shares())
    assert "from now on" not in said and b.json("status")["device"] == "ubuntu"
    assert names_known_to(a) == names_known_to(b) == {"ubuntu-2"}


def test_a_directory_that_is_not_empty_is_merged_with_yes_and_refused_without(
    a: Machine, b: Machine
) -> None:
    a.write("notes/same", b"same")
    a.write("notes/of alpha", b"of alpha")
    b.write("here/same", b"same")
    b.write("here/of beta", b"of beta")
    code = a.shares()
    assert "is not empty" in b.refused("join", code, "here", code=2)
    assert not b.has("here/of alpha", b"of alpha")
    b.joins(code, "here", "--yes")
    assert b.has("here/of alpha", b"of alpha") and a.has("notes/of beta", b"of beta")
    assert ask(a.state, "status")["folders"][0]["conflicts"] == 0


def test_a_script_that_named_no_directory_goes_on_with_yes_though_the_code_is_used_up(
    a: Machine, b: Machine
) -> None:
    """How its directory would be called came with the answer of the door."""
    a.write("notes/of alpha", b"of alpha")
    b.write("notes/of beta", b"of beta")
    code = a.shares()
    said = b.refused("join", code, code=2)
    assert "is not empty" in said and "the same line with --yes" in said
    (invitation,) = a.json("invite", "list")["invitations"]
    assert invitation["state"] == "used up"
    assert not b.has("notes/of alpha", b"of alpha") and not a.has("notes/of beta", b"of beta")
    b.does("join", code, "--yes")
    soon(lambda: b.has("notes/of alpha", b"of alpha") and a.has("notes/of beta", b"of beta"))


# ---- the plan of a join into a directory that is not empty --------------------------------------


class Terminal:
    """A command at a terminal. read: what it has printed so far."""

    def __init__(self, machine: Machine, *words: str) -> None:
        self._master, slave = pty.openpty()
        self.process = machine.start(*words, stdin=slave)
        os.close(slave)
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.read = ""

    def shows(self, text: str) -> bool:
        assert self.process.stdout is not None
        try:
            while said := os.read(self.process.stdout.fileno(), 65_536):
                self.read += said.decode()
        except BlockingIOError:
            pass
        return text in self.read

    def asks(self) -> None:
        assert wait_until(lambda: self.shows("Go on?"), DEADLINE_S), self.read

    def types(self, text: str) -> None:
        os.write(self._master, text.encode())

    def ends(self) -> int:
        code = self.process.wait(DEADLINE_S)
        self.shows("")
        os.close(self._master)
        print(self.read)
        return code


def everything(place: Path) -> list[tuple[str, int, int, int]]:
    """Path, inode, mtime and ctime of all that lies there, but for `.left`."""
    found = []
    for path in sorted(place.rglob("*")):
        if ".left" not in path.relative_to(place).parts:
            stat = path.lstat()
            found.append((str(path), stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns))
    return found


def plan_of(a: Machine, b: Machine) -> Terminal:
    a.write("notes/same", b"same")
    a.write("notes/of alpha", b"of alpha")
    a.write("notes/both", b"as alpha has it")
    b.write("here/same", b"same")
    b.write("here/of beta", b"of beta")
    b.write("here/both", b"as beta has it, which is another file")
    code = a.shares()
    joining = Terminal(b, "join", code, "here")
    joining.asks()
    return joining


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.name != ".left")


def merged(a: Machine, b: Machine) -> bool:
    here, there = names(b.home / "here"), names(a.home / "notes")
    return here == there and len(here) == 5


def test_a_yes_to_the_plan_merges_and_before_it_nothing_goes_or_changes(
    a: Machine, b: Machine
) -> None:
    joining = plan_of(a, b)
    before = everything(b.home / "here")
    a.write("notes/later", b"written while beta thinks")
    soon(lambda: ask(b.state, "status")["folders"][0]["tickets"] == 2)
    assert everything(b.home / "here") == before and len(before) == 3
    assert names(a.home / "notes") == ["both", "later", "of alpha", "same"]
    (folder,) = ask(b.state, "status")["folders"]
    assert folder["state"] == "held" and folder["sent_bytes"] == folder["received_bytes"] == 0
    assert ask(a.state, "status")["folders"][0]["tickets"] == 0
    assert "of beta" not in a.log() and "of beta" not in a.does("status")
    (a.home / "notes/later").unlink()
    for line in (
        "1 file, 8 B, comes",
        "1 file, 7 B, goes to the others",
        "1 file, 4 B, is the same",
    ):
        assert line in joining.read
    assert "both, one version as both.conflict-" in joining.read
    joining.types("y\n")
    assert joining.ends() == 0 and "The first sync is complete." in joining.read
    soon(lambda: merged(a, b))
    (folder,) = b.json("folders", "list")["folders"]
    assert folder["state"] == "idle"


@pytest.mark.parametrize("how", ["no", "ctrl-c"])
def test_a_no_leaves_again_and_the_directory_is_as_it_was(a: Machine, b: Machine, how: str) -> None:
    b.write("here/.keep", b"")
    joining = plan_of(a, b)
    before = everything(b.home / "here")
    if how == "no":
        joining.types("n\n")
    else:
        joining.process.send_signal(signal.SIGINT)
    assert joining.ends() == 2 and "was not joined" in joining.read
    assert everything(b.home / "here") == before
    assert not (b.home / "here/.left").exists()
    assert b.json("folders", "list")["folders"] == [] and b.json("peers")["peers"] == []
    left = {file.name for file in b.state.iterdir()}
    assert not [name for name in left if name.endswith((".sqlite", ".secret"))], left
    assert json.loads((b.state / "pairing.json").read_text())["folders"] == []
    soon(lambda: ask(b.state, "status")["folders"] == [])
    soon(lambda: "was removed from the folder by its own user" in a.log())
    assert names(a.home / "notes") == ["both", "of alpha", "same"]
    code = json.loads(json_of(a.does("invite", "--json")))
    assert code["invitations"][0]["uses_left"] == 0, "the use is spent"
    b.joins(a.shares(), "here", "--yes")
    soon(lambda: merged(a, b) or len(names(b.home / "here")) == 6)


def test_a_join_that_is_killed_at_the_question_goes_on_at_the_question(
    a: Machine, b: Machine
) -> None:
    joining = plan_of(a, b)
    joining.process.kill()
    joining.ends()
    code = joining.process.args[-2]  # type: ignore[index]
    os.kill(b.pid(), signal.SIGKILL)
    b.does("up")
    assert "--yes merges both" in b.refused("join", str(code), "here", code=2)
    again = Terminal(b, "join", str(code), "here")
    again.asks()
    assert "1 file, 8 B, comes" in again.read
    again.types("y\n")
    assert again.ends() == 0
    soon(lambda: merged(a, b))


def test_the_question_is_asked_again_also_when_the_invitation_is_over(
    a: Machine, b: Machine
) -> None:
    joining = plan_of(a, b)
    joining.process.kill()
    joining.ends()
    a.does("invite", "cancel")
    code = str(joining.process.args[-2])  # type: ignore[index]
    wrong = code[:-1] + ("x" if code[-1] != "x" else "y")
    assert "the token part" in b.refused("join", wrong, "here")
    again = Terminal(b, "join", code, "here")
    again.asks()
    again.types("y\n")
    assert again.ends() == 0
    soon(lambda: merged(a, b))


def test_yes_answers_what_was_asked_before_and_json_has_the_plan(a: Machine, b: Machine) -> None:
    joining = plan_of(a, b)
    joining.process.kill()
    joining.ends()
    code = str(joining.process.args[-2])  # type: ignore[index]
    joined = json.loads(json_of(b.does("join", code, "here", "--json", "--yes")))
    assert joined["plan"]["comes"]["first"] == ["of alpha"] and joined["in_sync"]
    assert merged(a, b)


def test_a_held_folder_is_left_by_folders_remove(a: Machine, b: Machine) -> None:
    joining = plan_of(a, b)
    joining.process.kill()
    joining.ends()
    (folder,) = b.json("folders", "list")["folders"]
    code, said = b.run("wait", "--timeout", "1")
    assert folder["state"] == "held" and code == 3 and "is held" in said
    b.does("folders", "remove", folder["id"])
    soon(lambda: b.json("folders", "list")["folders"] == [])
    assert not (b.home / "here/.left").exists() and b.has("here/of beta", b"of beta")


@pytest.mark.long
def test_who_left_a_folder_that_it_had_before_can_be_invited_again(a: Machine, b: Machine) -> None:
    a.write("notes/f", b"bytes")
    b.write("here/g", b"bytes")
    b.joins(a.shares(), "here", "--yes")
    (folder,) = b.json("folders", "list")["folders"]
    b.does("folders", "remove", folder["id"])
    joining = Terminal(b, "join", a.shares(), "here")
    joining.asks()
    assert "2 files, 10 B, are the same" in joining.read
    joining.types("n\n")
    assert joining.ends() == 2 and (b.home / "here/.left").exists()
    soon(lambda: "by its own user" in a.log())
    joining = Terminal(b, "join", a.shares(), "here")
    joining.asks()
    a.write("notes/later", b"bytes")
    joining.types("y\n")
    assert joining.ends() == 0, joining.read
    soon(lambda: b.has("here/later", b"bytes"))
    b.write("here/back", b"bytes")
    soon(lambda: a.has("notes/back", b"bytes"))


def test_who_shares_reads_that_the_other_one_left_again(a: Machine, b: Machine) -> None:
    a.write("notes/f", b"bytes")
    b.write("here/g", b"bytes")
    sharing = a.start("share", "notes", "--address", "localhost")
    assert sharing.stdout is not None
    code = next(line for line in sharing.stdout if line.startswith("    leftzmq join "))
    joining = Terminal(b, "join", code.split()[-1], "here")
    joining.asks()
    joining.types("n\n")
    assert joining.ends() == 2
    rest, _ = sharing.communicate(timeout=DEADLINE_S)
    assert sharing.returncode == 3 and "Traceback" not in rest, rest
    assert "beta has joined." in rest and "beta is not in the folder any more." in rest


def test_a_plan_that_is_not_known_in_time_is_waited_for_by_the_same_line(
    a: Machine, b: Machine
) -> None:
    joining = plan_of(a, b)
    joining.process.kill()
    joining.ends()
    code = str(joining.process.args[-2])  # type: ignore[index]
    a.down()
    waiting = Terminal(b, "join", code, "here", "--timeout", "2")
    assert waiting.ends() == 3 and "the same line again goes on" in waiting.read
    a.does("up")
    again = Terminal(b, "join", code, "here")
    again.asks()
    again.types("y\n")
    assert again.ends() == 0
    soon(lambda: merged(a, b))


def test_a_no_that_is_cut_off_is_done_at_the_next_start(a: Machine, b: Machine) -> None:
    joining = plan_of(a, b)
    joining.types("n\n")
    assert wait_until(lambda: '"leaves": true' in (b.state / "pairing.json").read_text(), SOON_S)
    os.kill(b.pid(), signal.SIGKILL)
    joining.process.kill()  # else it waits for an answer, as long as it may
    joining.process.wait(DEADLINE_S)
    b.does("up")
    assert b.json("folders", "list")["folders"] == [] and b.json("peers")["peers"] == []
    assert not (b.home / "here/.left").exists() and b.has("here/of beta", b"of beta")


# ---- the same line again ------------------------------------------------------------------------


def test_the_same_line_typed_again_uses_nothing_more_and_asks_nothing(
    a: Machine, b: Machine, machines: Callable[[str], Machine]
) -> None:
    a.write("notes/f", b"bytes")
    code = a.shares()
    b.joins(code)
    b.joins(code)
    (invitation,) = a.json("invite")["invitations"]
    assert len(invitation["came_in"]) == 1
    said = machines("gamma").refused("join", code, "here")
    assert "used" in said and "beta" in said, "who was invited reads who took it"


@pytest.mark.parametrize("moment_s", [0.3, 0.7])
def test_a_join_that_is_killed_goes_on_when_it_is_typed_again(
    a: Machine, b: Machine, moment_s: float
) -> None:
    a.write("notes/f", os.urandom(1_000_000))
    code = a.shares()
    joining = b.start("join", code, "here")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() > began + moment_s, DEADLINE_S)
    joining.kill()
    joining.communicate()
    b.joins(code, "here", "--yes")
    assert b.has("here/f", (a.home / "notes/f").read_bytes())
    assert len(a.json("peers")["peers"]) == 1


def test_the_inviters_agent_is_killed_and_its_invitation_goes_on(a: Machine, b: Machine) -> None:
    code = a.shares()
    os.kill(a.pid(), signal.SIGKILL)
    a.does("up")
    b.joins(code)


# ---- what is refused ----------------------------------------------------------------------------


def test_an_invitation_that_is_taken_back_lets_nobody_in(a: Machine, b: Machine) -> None:
    code = a.shares()
    assert "1 invitation taken back" in a.does("invite", "cancel")
    assert "cancelled" in b.refused("join", code, "here")
    assert a.json("peers")["peers"] == [] and b.json("folders")["folders"] == []


def test_an_invitation_whose_time_is_over_lets_nobody_in(a: Machine, b: Machine) -> None:
    code = a.shares("notes", "--ttl", "1s")
    soon(lambda: a.json("invite")["invitations"][0]["state"] == "expired")
    assert "time has run out" in b.refused("join", code, "here")


def test_a_code_with_a_mistake_starts_nothing(a: Machine, b: Machine) -> None:
    code = a.shares()
    letter = "x" if code[-1] != "x" else "y"
    assert "the token part" in b.refused("join", code[:-1] + letter, "here")
    assert not b.state.exists()


def test_nobody_comes_in_by_their_own_invitation(a: Machine) -> None:
    assert "member" in a.refused("join", a.shares(), "other")


def test_a_share_that_only_this_machine_reaches_is_refused_with_the_line_to_change(
    a: Machine,
) -> None:
    said = a.refused("share", "notes")
    assert "127.0.0.1" in said and f'listen = "tcp://[::]:{a.port}"' in said


def test_a_door_that_nobody_opens_any_more_is_named_with_all_that_can_be(
    a: Machine, b: Machine
) -> None:
    code = a.shares()
    a.down()
    said = b.refused("join", code, "here", "--timeout", "2")
    assert "localhost" in said and "firewall" in said


@pytest.mark.parametrize("place", ["notes/in", "."])
def test_a_directory_that_is_no_place_for_a_share_is_refused(a: Machine, place: str) -> None:
    a.shares()
    said = a.refused("share", place, "--address", "localhost")
    assert str(a.home) in said
    assert len(a.json("folders")["folders"]) == 1


def test_a_file_is_no_directory(a: Machine, b: Machine) -> None:
    b.write("here", b"a file")
    assert "is no directory" in b.refused("join", a.shares(), "here", code=2)
    a.write("file", b"a file")
    assert "is no directory" in a.refused("share", "file", "--address", "localhost")


def test_a_peer_that_is_removed_gets_nothing_any_more(a: Machine, b: Machine) -> None:
    b.joins(a.shares())
    a.does("peers", "remove", "beta")
    a.write("notes/later", b"not for beta")
    soon(lambda: not b.json("peers")["peers"][0]["connected"])
    assert not b.has("here/later", b"not for beta")
    assert "is no peer" in a.refused("peers", "remove", "beta")


@pytest.mark.long
def test_a_peer_that_was_learnt_is_renamed_and_called_elsewhere(a: Machine, b: Machine) -> None:
    b.joins(a.shares())
    b.does("peers", "rename", "alpha", "the big one")
    b.does("peers", "address", "the big one", f"tcp://127.0.0.1:{a.port}")
    (peer,) = b.json("peers")["peers"]
    assert peer["name"] == "the big one"
    assert peer["addresses"] == [f"tcp://127.0.0.1:{a.port}", f"tcp://localhost:{a.port}"]
    soon(lambda: b.json("peers")["peers"][0]["connected"])
    assert "name of another device" in b.refused("peers", "rename", "the big one", "beta")
    assert "tcp://" in b.refused("peers", "address", "the big one", "nowhere")


def test_a_peer_that_is_not_where_it_is_called_first_is_called_elsewhere(
    a: Machine, b: Machine
) -> None:
    b.joins(a.shares())
    (nobody,) = free_ports(1)
    b.does("peers", "address", "alpha", f"tcp://127.0.0.1:{nobody}")
    soon(lambda: f":{nobody}" in b.json("peers")["peers"][0]["addresses"][0])
    soon(lambda: b.json("peers")["peers"][0]["connected"])
    a.write("notes/f", b"bytes")
    soon(lambda: b.has("here/f", b"bytes"))


def test_a_folder_that_is_removed_stays_as_it_is_and_can_be_added_again(
    a: Machine, b: Machine
) -> None:
    b.joins(a.shares())
    (folder,) = b.json("folders")["folders"]
    b.does("folders", "remove", folder["id"])
    assert b.json("folders")["folders"] == []
    a.write("notes/later", b"written meanwhile")
    soon(lambda: "taken off" in json.dumps(ask(a.state, "status")))
    soon(lambda: ask(b.state, "status")["folders"] == [])
    assert not b.has("here/later", b"written meanwhile")
    assert "goes on there" not in a.log()
    added = b.json("folders", "add", "here")
    assert added["folder"] == folder["id"], "its marker says which folder it is"
    soon(lambda: b.has("here/later", b"written meanwhile"))
    b.does("folders", "remove", folder["id"])
    b.down()
    b.does("up")
    assert ask(b.state, "status")["folders"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("share",),
        ("share", "notes", "--ttl", "25h"),
        ("share", "notes", "--uses", "63"),
        ("join", "a", "b", "c"),
        ("peers", "remove"),
        ("invite", "nope"),
    ],
)
def test_a_line_that_cannot_be_understood_starts_nothing(
    a: Machine, words: tuple[str, ...]
) -> None:
    a.refused(*words, code=2)
    assert not a.state.exists()
