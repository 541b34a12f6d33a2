"""The law of plans: ordered operations turn any tree into any other, each possible at its turn.

Trees are made by perturbing one another, so that paths collide: two trees made apart would share
hardly a path.
"""

from __future__ import annotations

import random

import pytest

from leftzmq.tree.entry import Kind
from leftzmq.tree.path import parent_of
from leftzmq.tree.plan import Operation, Verb, ordered
from tests.helpers.trees import deleted, file, folder, link, made

CASES = 10_000
NAMES = ("a", "b", "A", "c d", "é")

Tree = dict[str, tuple[Kind, str]]
"""path -> what is there: its kind, and the text of a file or the target of a link."""

VERBS = {
    Kind.FILE: Verb.PUT_FILE,
    Kind.DIRECTORY: Verb.MAKE_DIRECTORY,
    Kind.SYMLINK: Verb.PUT_LINK,
}


def some_path(dice: random.Random, tree: Tree) -> str:
    above = [""] + [path for path, (kind, _) in tree.items() if kind is Kind.DIRECTORY]
    parent, name = dice.choice(above), dice.choice(NAMES)
    return f"{parent}/{name}" if parent else name


def without(tree: Tree, path: str) -> None:
    for gone in [p for p in tree if p == path or p.startswith(path + "/")]:
        del tree[gone]


def perturb(dice: random.Random, tree: Tree) -> None:
    """One user's doing: make, delete, swap the kind of, rename, or move up."""
    what = dice.randrange(5)
    if what < 2 or not tree:
        path = some_path(dice, tree)
        without(tree, path)
        kind = dice.choice(list(Kind))
        tree[path] = (kind, "" if kind is Kind.DIRECTORY else str(dice.randrange(100)))
        return
    path = dice.choice(sorted(tree))
    if what == 2:
        without(tree, path)
        return
    moved = {p[len(path) :]: value for p, value in tree.items() if f"{p}/".startswith(f"{path}/")}
    without(tree, path)
    target = some_path(dice, tree)
    without(tree, target)
    tree.update({target + tail: value for tail, value in moved.items()})


def plan(before: Tree, after: Tree) -> list[Operation]:
    operations = []
    for path in before.keys() | after.keys():
        if path not in after:
            kind, _ = before[path]
            base = {Kind.FILE: file, Kind.DIRECTORY: folder, Kind.SYMLINK: link}[kind](path)
            operations.append(Operation(Verb.REMOVE, deleted("b", made("a", base))))
        elif before.get(path) != after[path]:
            kind, text = after[path]
            found = folder(path) if kind is Kind.DIRECTORY else None
            found = found or (file if kind is Kind.FILE else link)(path, text)
            operations.append(Operation(VERBS[kind], made("a", found)))
    return operations


def carry_out(tree: Tree, operation: Operation, after: Tree) -> None:
    """As a file system would: no put without its folder, no folder goes that holds something."""
    path = operation.path
    below = [p for p in tree if p.startswith(path + "/")]
    if operation.verb is Verb.REMOVE:
        assert path in tree and not below, f"{path} cannot be removed: {below}"
        del tree[path]
        return
    parent = parent_of(path)
    assert not parent or tree.get(parent, (None,))[0] is Kind.DIRECTORY, f"no folder for {path}"
    assert not below, f"{path} cannot be replaced: {below}"
    tree[path] = after[path]


@pytest.mark.parametrize("first", range(0, CASES, CASES // 4))
def test_every_operation_is_possible_at_its_turn_and_the_tree_is_the_wanted_one(first: int) -> None:
    for seed in range(first, first + CASES // 4):
        dice = random.Random(seed)
        before: Tree = {}
        for _ in range(dice.randrange(12)):
            perturb(dice, before)
        after = dict(before)
        for _ in range(dice.randrange(1, 6)):
            perturb(dice, after)
        wanted = plan(before, after)
        dice.shuffle(wanted)
        tree = dict(before)
        operations = ordered(wanted)
        assert sorted(map(id, operations)) == sorted(map(id, wanted))
        for operation in operations:
            carry_out(tree, operation, after)
        assert tree == after, f"seed {seed}"
