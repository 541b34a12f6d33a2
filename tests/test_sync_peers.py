"""The table of a peer's states is total, and reads as it should."""

from __future__ import annotations

from itertools import product

from leftzmq.sync.peers import MOVES, Move, State


def test_every_state_answers_every_move() -> None:
    assert set(MOVES) == set(product(State, Move))


def test_only_a_greeting_connects_and_only_a_closed_link_sends_away() -> None:
    for (state, move), then in MOVES.items():
        if then is State.CONNECTED and state is not State.CONNECTED:
            assert move is Move.GREETED
        if then is State.AWAY and state is not State.AWAY:
            assert move is Move.CLOSED
