"""A question whose fields are of another kind is declined."""

from __future__ import annotations

from typing import Any

import pytest

from leftzmq.runtime.pairing.learnt_file import load_learnt
from tests.helpers.pairing_world import B, World


@pytest.mark.parametrize(
    "more", [{"uses": 0}, {"uses": 63}, {"uses": "x"}, {"ttl_s": -1}, {"ttl_s": 86_401.0}]
)
def test_a_number_that_is_none_is_declined(world: World, more: dict[str, Any]) -> None:
    assert "is no number" in world.ask("invite", folder="share", **more)["declined"]["what"]


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("invite", {"folder": "share", "read_only": 1}),
        ("invite", {"folder": "share", "asks": "no"}),
        ("invite", {"folder": "share", "address": 7}),
        ("invite_cancel", {"folder": 0}),
        ("invite_cancel", {"folder": False}),
        ("peer_remove", {"name": "beta", "keep_invited": "yes"}),
        ("share", {"path": "/nowhere", "id": 0}),
    ],
)
def test_a_field_of_another_kind_is_not_taken_for_one_that_was_left_out(
    world: World, verb: str, fields: dict[str, Any]
) -> None:
    world.knocks(B, world.invites())
    world.invites()
    before, said = load_learnt(world.state), list(world.said)
    what = world.ask(verb, **fields)["declined"]["what"]
    assert what in ("is no text", "is neither true nor false")
    assert load_learnt(world.state) == before and world.said == said
