"""docs/admin.md is what an agent answers: every verb, all fields, nothing else."""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from leftzmq.errors import Away, Problem, ProblemKind, Refusal
from leftzmq.pairing.learnt import Learnt
from leftzmq.runtime.agent import Agent
from leftzmq.runtime.event_log import EventLog
from leftzmq.runtime.pairing.asked_fields import AskedFields
from leftzmq.runtime.pairing.desk import PairingDesk
from leftzmq.runtime.pausing.desk import PauseDesk, Pauses
from leftzmq.sync.admin.peer_progress import MemberState, PeerState
from leftzmq.sync.download.transfer import TransferPhase
from leftzmq.sync.facts import (
    Asked,
    CookieSeen,
    DoctorAsked,
    LocalRulesSet,
    MachineSeen,
    Stranger,
    StrangerRefused,
    TimePassed,
)
from leftzmq.sync.folder import FolderState
from leftzmq.sync.guard.guard import _WHO
from leftzmq.sync.jobs import DropCookie, Job, WriteChunks
from leftzmq.tree.mode import FolderMode
from leftzmq.wire.answers.metrics import MetricsShown
from leftzmq.wire.local import EventKind
from leftzmq.wire.replies import Reloaded, Reply
from tests.helpers.mesh import Device, Held, Mesh
from tests.sim.node import FOLDER

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "admin.md"
CODE = [*(ROOT / "leftzmq/sync/admin").glob("*.py"), ROOT / "leftzmq/sync/node.py"]
INBOUND = ROOT / "leftzmq/runtime/border/inbound.py"
DESK = [*(ROOT / "leftzmq/runtime/pairing").glob("*.py"), ROOT / "leftzmq/runtime/pausing/desk.py"]
DESK_READERS = [f"asked.{name}" for name in vars(AskedFields) if not name.startswith("_")]
EVERY = "Every answer"
TYPED = {"reload": Reloaded, "metrics": MetricsShown}
"""Answers that neither a machine nor the pairing desk gives."""

MACHINE = MachineSeen("/state", 0o700, (), None, None, 0, (), 4096, 3600, 20, {})
"""What a machine shows of itself."""

_ITEMS = {dict: "maps", list: "lists", str: "text"}

_WORDS = {str: "text", int: "integer", float: "number", bool: "bool", type(None): "null"}

Types = dict[str, set[str]]
"""Path of a field, such as peers[].name -> the types that it had."""


# -- the page ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Section:
    """asked: fields of the question. answered: (type, may be absent) by field of the answer."""

    asked: frozenset[str]
    answered: dict[str, tuple[str, bool]]


def sections() -> dict[str, Section]:
    found = {}
    for part in DOCUMENT.read_text().split("\n## ")[1:]:
        head, _, body = part.partition("\n")
        tables = re.findall(r"^\| (field[^|]*) \|.*\n\|[-|]+\n((?:\|.*\n)+)", body + "\n", re.M)
        asked: set[str] = set()
        answered: dict[str, tuple[str, bool]] = {}
        for title, rows in tables:
            for absent, name, kind in re.findall(
                r"^\| (\(?)`([^`]+)`\)? \| ([^|]+) \|", rows, re.M
            ):
                if "question" in title:
                    asked.add(name)
                else:
                    answered[name] = (kind, bool(absent))
            assert rows.count("\n") == len(re.findall(r"^\| \(?`", rows, re.M)), head
        found[head.strip("`")] = Section(frozenset(asked), answered)
    return found


def agreed(said: Section, seen: Types) -> None:
    """The page names the fields that were seen, each with its type, and no other."""
    assert set(seen) == set(said.answered)
    for name, kinds in seen.items():
        kind, _ = said.answered[name]
        allowed = set(kind.split(" or "))
        if kind.startswith("list of"):
            allowed.add("list")  # an empty one
        if kind == "number":
            allowed.add("integer")
        assert kinds <= allowed, (name, kinds)


# -- the code ------------------------------------------------------------------------------------


def types_of(value: dict[str, Any], at: str = "") -> Iterator[tuple[str, str]]:
    """(path, type) of every field, found recursively."""
    for key, item in value.items():
        name = f"{at}{key}"
        yield name, _type(item)
        if isinstance(item, dict):
            yield from types_of(item, f"{name}.")
        elif isinstance(item, list):
            for each in item:
                if isinstance(each, dict):
                    yield from types_of(each, f"{name}[].")


def _type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "text"
        case dict():
            return "map"
        case list():
            kinds = {_ITEMS[type(each)] for each in value}
            assert len(kinds) < 2, value
            return f"list of {kinds.pop()}" if kinds else "list"
    raise AssertionError(f"not what JSON knows: {value!r}")


def note(seen: Types, answer: dict[str, Any]) -> None:
    for name, kind in types_of(answer):
        seen.setdefault(name, set()).add(kind)


def verbs_of(tree: ast.AST) -> Iterator[str]:
    """What a verb is compared with: fact.verb == "...", match fact.verb, AdminAsk(_, "...")."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and ast.unparse(node.left) == "fact.verb":
            yield from (str(c.value) for c in node.comparators if isinstance(c, ast.Constant))
        elif isinstance(node, ast.Match) and ast.unparse(node.subject) == "fact.verb":
            for case in node.cases:
                yield from _constants(case.pattern)
        elif isinstance(node, ast.MatchClass) and ast.unparse(node.cls) == "AdminAsk":
            yield from _constants(node)


def _constants(pattern: ast.AST) -> Iterator[str]:
    for node in ast.walk(pattern):
        if isinstance(node, ast.MatchValue) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def asked_of(tree: ast.AST, *readers: str) -> Iterator[str]:
    """Fields of a question that the code reads, by calls of these functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in readers:
            said = (each.value for each in node.args if isinstance(each, ast.Constant))
            yield from (each for each in said if isinstance(each, str))


def desk_verbs() -> dict[str, type[Reply]]:
    """Each verb of the two desks, with its answer."""
    nobody: Any = SimpleNamespace()
    desk = PairingDesk(nobody, nobody, b"", Learnt(), nobody, lambda: 0.0, lambda: 0.0)
    pauses = PauseDesk(nobody, nobody, Pauses(), lambda: 0.0)
    verbs = {**desk._verbs, **pauses._verbs}
    return {verb: get_type_hints(method)["return"] for verb, method in verbs.items()}


def fields_of(answer: type[Reply], before: str = "") -> Iterator[tuple[str, str]]:
    """Each field of a typed answer, with its type as the page writes it."""
    for field in msgspec.structs.fields(answer):
        name, kind = before + field.name, field.type
        items = get_args(kind)
        if get_origin(kind) is dict:
            yield name, "map"
        elif isinstance(kind, types.UnionType):
            yield name, " or ".join(_WORDS[one] for one in items)
        elif get_origin(kind) is list and issubclass(items[0], Reply):
            yield name, "list of maps"
            yield from fields_of(items[0], f"{name}[].")
        else:
            yield name, "list of text" if items else _WORDS[kind]


# -- tests ---------------------------------------------------------------------------------------


def test_every_verb_has_a_section() -> None:
    trees = (ast.parse(file.read_text()) for file in (*CODE, INBOUND))
    found = {verb for tree in trees for verb in verbs_of(tree)}
    assert len(found) > 10 and len(desk_verbs()) > 5
    assert sections().keys() == found | desk_verbs().keys() | {EVERY}


def test_every_field_that_a_question_may_have_is_there() -> None:
    found = set(asked_of(ast.parse(INBOUND.read_text()), "fields.get"))
    for file in CODE:
        found |= set(asked_of(ast.parse(file.read_text()), "_text", "fact.fields.get"))
    for file in DESK:
        found |= set(asked_of(ast.parse(file.read_text()), *DESK_READERS))
    assert found == {name for section in sections().values() for name in section.asked}


@pytest.mark.parametrize("words", [PeerState, MemberState, FolderState, Away, TransferPhase])
def test_every_word_of_status_is_there(words: type[Enum]) -> None:
    text = " ".join(DOCUMENT.read_text().split())
    for word in words:
        said = word.name if words is TransferPhase else word.value
        assert f"`{said}`" in text, word


def test_what_every_answer_may_have() -> None:
    mesh_less = SimpleNamespace(_loop=SimpleNamespace(longest_turn_s=0.001))
    seen: Types = {}
    note(seen, Agent._figures(mesh_less))  # type: ignore[arg-type]
    note(seen, {"error": "", "declined": {"what": "", "where": "", "do": ""}})
    agreed(sections()[EVERY], seen)


def test_the_answer_to_events() -> None:
    log = EventLog(1795600000.0)
    log.note(EventKind.READY, {}, 1795600001.0)
    seen: Types = {}
    note(seen, log.reply(0))
    agreed(sections()["events"], seen)


class Story:
    """Three devices: what is answered while all sorts of things happen to them.

    seen: by verb, the fields of its answers
    """

    def __init__(self, base: Path) -> None:
        self.seen: dict[str, Types] = {}
        self.mesh = mesh = Mesh(base)
        self._submit, mesh.submit = mesh.submit, self._watched  # type: ignore[method-assign]
        self.a, self.b, self.c = a, b, _ = tuple(mesh.devices.values())
        mesh.begin()
        (a.share / "nul\udcff").write_bytes(b"")
        for name in ("letter", "note", "gone", "old", *(f"many/{n}" for n in range(120))):
            a.write(name, name.encode())
        self.scan()
        for name in ("gone", "old"):
            (a.share / name).unlink()
        for device in (a, b):
            for name in ("letter", "note"):
                device.write(name, f"by {device.name}".encode())
        self.scan()

    def _watched(self, device: Device, job: Job) -> None:
        self._submit(device, job)
        if isinstance(job, DropCookie):
            device.take(CookieSeen(job.folder, job.name))

    def scan(self) -> None:
        self.mesh.now += 100
        self.mesh.scan_all()
        self.mesh.settle(70)

    def ask(self, device: Device, verb: str, **fields: object) -> dict[str, Any]:
        before = len(device.answers)
        device.take(Asked(b"x", verb, fields))
        self.mesh.settle(20)
        (answer,) = device.answers[before:]
        always = {n for n, (_, absent) in sections()[verb].answered.items() if not absent}
        assert {name for name in always if not {".", "["} & set(name)} <= answer.keys(), answer
        note(self.seen.setdefault(verb, {}), answer)
        return answer

    def status(self, device: Device) -> None:
        note(self.seen.setdefault("status", {}), device.node.status())

    def of_lists(self) -> None:
        self.ask(self.a, "problems")
        self.ask(self.a, "fleet")
        self.of_all_that_is_looked_at()
        for wish in ("file", "both"):
            (copy, *_) = self.ask(self.a, "conflicts list")["copies"]
            self.ask(self.a, "conflicts show", path=copy["copy"])
            self.status(self.a)
            self.ask(self.a, "conflicts resolve", path=copy["copy"], choice=wish)
        self.ask(self.b, "why", path=copy["path"])
        self.ask(self.b, "why", path="nowhere", peer="A")
        self.ask(self.b, "trash list")
        self.b.write("old", b"there already")
        for name in ("gone", "old"):
            self.ask(self.b, "trash restore", path=name)
        self.scan()

    def of_all_that_is_looked_at(self) -> None:
        """What inbound makes of `doctor` is a fact of its own."""
        before = len(self.a.answers)
        self.a.take(DoctorAsked(b"x", MACHINE))
        self.mesh.settle(20)
        note(self.seen.setdefault("doctor", {}), self.a.answers[before])

    def of_what_is_ignored(self) -> None:
        self.a.write(".leftignore", b"build/\n[open\n")
        self.a.take(LocalRulesSet(FOLDER, ("*.iso", "[open"), litter=True))
        self.scan()
        for path in ("x.iso", "build", ".x.swp", "letter"):
            self.ask(self.a, "ignored", path=path)
        self.ask(self.a, "ignored rules")
        (self.a.share / ".leftignore").unlink()
        self.a.take(LocalRulesSet(FOLDER, (), litter=True))
        self.scan()

    def of_what_is_fetched(self) -> None:
        for path in ("far/one", "far/two"):
            self.a.write(path, path.encode())
        self.scan()
        (self.b.share / "far/two").write_bytes(b"not read yet")
        self.ask(self.b, "drop", path="far")
        self.ask(self.b, "get", path="far")
        self.scan()

    def of_a_file_on_its_way(self) -> None:
        held = Held(self.b, WriteChunks)
        self.a.write("large", bytes(range(256)) * 20_000)
        self.mesh.now += 100
        self.a.scan()
        while not held.jobs:
            if not self.mesh.step():
                self.mesh.now += 0.1
                for device in self.mesh.devices.values():
                    device.take(TimePassed())
            self.status(self.b)
        self.status(self.a)
        assert self.ask(self.b, "why", path="large")["have"] is not None
        assert self.ask(self.b, "plan")["items"][0]["path"] == "large"
        self.b.folder.problems.show(Problem(FOLDER, "full", ProblemKind.DISK_FULL))
        for device in (self.a, self.b):
            assert not self.ask(device, "wait", timeout=0.0)["in_sync"]
        for job in held.jobs:
            self.b.take(self.b.runner.run(job))
        self.b.do = held._do  # type: ignore[method-assign]
        self.mesh.settle()
        self.b.folder.keeping.tune(("passed",), litter=True)
        self.a.write("passed", b"over")
        self.scan()
        answer = self.ask(self.a, "wait", timeout=10)
        assert answer["in_sync"] and answer["passed_over"], answer

    def of_what_is_held_back(self) -> None:
        refused = Stranger("k" * 40, "tcp://192.168.1.99")
        self.a.take(StrangerRefused(None, Refusal.UNKNOWN_DEVICE, "", refused))
        for decision in ("revert", "accept"):
            for file in (self.a.share / "many").iterdir():
                file.unlink()
            self.scan()
            self.status(self.a)
            self.ask(self.a, decision)
            self.scan()

    def of_what_differs(self, base: Path) -> None:
        self.mesh = mesh = Mesh(base, "AB")
        a, b = mesh.devices.values()
        a.mode = FolderMode.SEND
        for device in (a, b):
            device.start()
        mesh.settle()
        b.write("theirs", b"by B")
        b.scan()
        mesh.settle()
        assert self.ask(a, "override", path="theirs")["first"] == ["theirs"]
        assert self.ask(a, "modes adopt", path="")["paths"] == 0

    def of_a_join(self, base: Path) -> None:
        self.mesh = mesh = Mesh(base, "AB")
        a, b = mesh.devices.values()
        a.write("both", b"by A")
        b.write("both", b"by B, later", mtime=1_900_000_000)
        b.held = True
        for device in (a, b):
            device.start()
        mesh.settle()
        (copy,) = self.ask(b, "join_plan", peer="A")["conflicts"]["first"]
        assert copy["path"] == "both"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    story = Story(tmp_path_factory.mktemp("admin"))
    story.of_lists()
    story.of_what_is_ignored()
    story.of_what_is_fetched()
    story.of_a_file_on_its_way()
    story.of_what_is_held_back()
    story.of_what_differs(tmp_path_factory.mktemp("differs"))
    story.of_a_join(tmp_path_factory.mktemp("join"))
    for verb, at in (("status", "folders[].held"), ("accept", "held"), ("revert", "held")):
        assert f"{at}.here" in story.seen[verb]
        story.seen[verb] |= {f"{at}.{who}": {"integer"} for who in _WHO}
    return story


def test_the_story_asks_every_verb(story: Story) -> None:
    others = desk_verbs().keys() | TYPED.keys() | {EVERY, "events"}
    assert story.seen.keys() == sections().keys() - others


@pytest.mark.parametrize(("verb", "answer"), sorted((desk_verbs() | TYPED).items()))
def test_a_typed_answer_has_the_fields_of_its_section(verb: str, answer: type[Reply]) -> None:
    said = {name: kind for name, (kind, _) in sections()[verb].answered.items()}
    assert dict(fields_of(answer)) == said


@pytest.mark.parametrize(
    "verb",
    sorted(sections().keys() - desk_verbs().keys() - TYPED.keys() - {EVERY, "events"}),
)
def test_an_answer_has_the_fields_of_its_section(story: Story, verb: str) -> None:
    agreed(sections()[verb], story.seen[verb])
