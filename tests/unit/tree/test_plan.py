"""The order of operations."""

from __future__ import annotations

import random

from leftzmq.tree.plan import Operation, Verb, ordered
from tests.helpers.trees import deleted, file, folder, made


def remove(path: str) -> Operation:
    return Operation(Verb.REMOVE, deleted("b", made("a", folder(path))))


def make(path: str) -> Operation:
    return Operation(Verb.MAKE_DIRECTORY, made("a", folder(path)))


def put(path: str) -> Operation:
    return Operation(Verb.PUT_FILE, made("a", file(path)))


def test_children_go_before_parents_and_parents_come_before_children() -> None:
    wanted = [
        remove("x/y/z"),
        remove("x/y"),
        remove("x"),
        make("a"),
        put("a/b"),
        make("a-b"),
        put("x-file"),
    ]
    for seed in range(50):
        shuffled = wanted[:]
        random.Random(seed).shuffle(shuffled)
        paths = [(o.verb is Verb.REMOVE, o.path) for o in ordered(shuffled)]
        assert paths == [
            (True, "x/y/z"),
            (True, "x/y"),
            (True, "x"),
            (False, "a"),
            (False, "a/b"),
            (False, "a-b"),
            (False, "x-file"),
        ]
