"""`leftzmq share` shows words beside the code, and `leftzmq join` takes them: two machines over the
loopback, where nothing is announced."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.helpers.machines import DEADLINE_S, Machine, soon

WORDS = re.compile(r"leftzmq join (\d) ([a-z]+)-([a-z]+)-([a-z]+)@localhost:?(\d*)\n")


class Sharing:
    """`leftzmq share` that waits. words: as it shows them, with their digit; place: behind the @"""

    def __init__(self, machine: Machine, *options: str) -> None:
        self.process = machine.start("share", "notes", "--address", "localhost", *options)
        self.said = ""
        self.reads_until("Waiting for it")
        found = WORDS.search(self.said)
        assert found is not None, self.said
        self.digit, *self.words = found.groups()[:4]
        port = found[5] or "7709"
        self.place = f"localhost:{port}"
        code = re.search(r"leftzmq join (lz1-\S+)", self.said)
        assert code is not None
        self.code = code[1]

    def reads_until(self, what: str) -> None:
        assert self.process.stdout is not None
        while what not in self.said:
            line = self.process.stdout.readline()
            assert line, f"it ended before it said {what!r}:\n{self.said}"
            self.said += line

    def ends(self) -> str:
        rest, _ = self.process.communicate(timeout=DEADLINE_S)
        print(self.said + rest)
        return self.said + rest

    @property
    def wrong(self) -> str:
        last = "zoo" if self.words[2] != "zoo" else "zone"
        return f"{self.digit} {self.words[0]}-{self.words[1]}-{last}@{self.place}"


@pytest.fixture
def sharing(a: Machine) -> Iterator[Callable[..., Sharing]]:
    made: list[Sharing] = []

    def share(*options: str) -> Sharing:
        made.append(Sharing(a, *options))
        return made[-1]

    yield share
    for one in made:
        one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize("form", ["as shown", "spaces", "no digit, capitals, four letters"])
def test_words_at_a_place_are_as_good_as_the_code(
    a: Machine, b: Machine, sharing: Callable[..., Sharing], form: str
) -> None:
    a.write("notes/f", b"bytes")
    shown = sharing()
    x, y, z = shown.words
    typed = {
        "as shown": (shown.digit, f"{x}-{y}-{z}@{shown.place}"),
        "spaces": (shown.digit, x, y, f"{z}@{shown.place}"),
        "no digit, capitals, four letters": (f"{x[:4]} {y[:4]} {z[:4]}@{shown.place}".upper(),),
    }[form]
    said = b.does("join", *typed, "here")
    assert f"asking {shown.place}".lower() in said.lower()
    assert "The first sync is complete" in said and b.has("here/f", b"bytes")
    ended = shown.ends()
    assert shown.process.returncode == 0
    assert "beta has joined." in ended and "fetched with the words" in ended


@pytest.mark.long
def test_words_are_asked_for_as_a_code_is(
    a: Machine, b: Machine, sharing: Callable[..., Sharing]
) -> None:
    shown = sharing()
    code, said = b.run("join", typed=f"{shown.digit} {' '.join(shown.words)} @ {shown.place}\n")
    assert code == 0, said


def test_after_three_wrong_words_they_are_gone_and_the_code_stays(
    a: Machine, b: Machine, sharing: Callable[..., Sharing]
) -> None:
    shown = sharing()
    for _ in range(3):
        assert "the words are wrong" in b.refused("join", shown.wrong, "here")
    shown.reads_until("The words are gone: three wrong words were tried. The code stays.")
    right = f"{shown.digit} {'-'.join(shown.words)}@{shown.place}"
    assert "nobody listens there" in b.refused("join", right, "here")
    assert b.json("folders")["folders"] == []
    b.joins(shown.code)
    assert "beta has joined." in shown.ends()


@pytest.mark.long
def test_words_are_there_for_as_many_as_may_come(
    a: Machine, b: Machine, machines: Callable[[str], Machine], sharing: Callable[..., Sharing]
) -> None:
    shown = sharing("--uses", "2")
    words = f"{shown.digit} {'-'.join(shown.words)}@{shown.place}"
    b.joins(words)
    machines("gamma").joins(words)
    assert "gamma has joined." in shown.ends()


@pytest.mark.long
def test_words_end_with_the_command_that_shows_them(
    a: Machine, b: Machine, sharing: Callable[..., Sharing]
) -> None:
    shown = sharing()
    shown.process.kill()
    shown.process.wait()
    words = f"{shown.digit} {'-'.join(shown.words)}@{shown.place}"
    said = b.refused("join", words, "here")
    assert "nobody listens there" in said and "leftzmq share" in said
    b.joins(shown.code)


@pytest.mark.long
@pytest.mark.parametrize("option", ["--no-wait", "--json"])
def test_who_does_not_wait_answers_no_words(a: Machine, option: str) -> None:
    said = a.does("share", "notes", "--address", "localhost", option)
    assert "lz1-" in said and "words" not in said and not WORDS.search(said)


@pytest.mark.long
@pytest.mark.parametrize(
    ("typed", "what"),
    [
        (("4 tigre-lamp-ocean",), "'tigre' is no word of them (is it "),
        (("4", "tiger-lamp-ocaen", "here"), "is it ocean?"),
        (("tiger-lamp",), "there are 2 of them"),
        (("4 tiger-lamp-ocean@", "here"), "behind the @"),
        (("nonsense",), "'nonsense' is no word of them"),
    ],
)
def test_words_with_a_mistake_start_nothing(b: Machine, typed: tuple[str, ...], what: str) -> None:
    assert what in b.refused("join", *typed)
    assert not b.state.exists()


@pytest.mark.long
def test_nobody_is_looked_for_where_discovery_is_off(b: Machine) -> None:
    b.config.write_text(b.config.read_text() + "[discovery]\nlocal = false\n")
    said = b.refused("join", "4 tiger-lamp-ocean", "here")
    assert "local is false" in said and "WORDS@HOST" in said


@pytest.mark.long
def test_a_door_is_not_asked_before_the_directory_is_agreed_on(
    a: Machine, b: Machine, sharing: Callable[..., Sharing]
) -> None:
    shown = sharing()
    b.write("here/mine", b"of beta")
    words = f"{shown.digit} {'-'.join(shown.words)}@{shown.place}"
    assert "is not empty" in b.refused("join", words, "here", code=2)
    b.joins(words, "here", "--yes")
    soon(lambda: a.has("notes/mine", b"of beta"))


@pytest.mark.long
def test_two_shares_at_once_have_a_port_each(
    a: Machine, b: Machine, sharing: Callable[..., Sharing]
) -> None:
    first, second = sharing(), sharing()
    assert first.place != second.place
    b.joins(f"{second.digit} {'-'.join(second.words)}@{second.place}")
    assert first.process.poll() is None
