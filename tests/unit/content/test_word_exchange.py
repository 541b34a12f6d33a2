"""The word exchange: its bytes, and what every change of one of them leads to."""

from __future__ import annotations

import itertools

import pytest
from spake2.ed25519_basic import bytes_to_unknown_group_element

from leftzmq.content.word_exchange import (
    BOX_BYTES,
    CONFIRM_BYTES,
    OPENING_BYTES,
    REPLY_BYTES,
    WordOffer,
    WordQuestion,
    WordVerdict,
)
from tests.helpers.word_vectors import CODE, DIGIT, GOLDEN, NONCE, SECRET, stream

pytestmark = pytest.mark.slow

LOW_ORDER = [
    bytes([1]) + bytes(31),  # the neutral element
    bytes(32),
    b"\xec" + 30 * b"\xff" + b"\x7f",  # of order 2
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
]
"""Of the curve's points whose order is at most 8
(https://github.com/jedisct1/libsodium, ge25519_has_small_order)."""


def offer(secret: str = SECRET) -> WordOffer:
    return WordOffer(secret, DIGIT, stream("door"))


def question(secret: str = SECRET, digit: int | None = DIGIT) -> WordQuestion:
    return WordQuestion(secret, digit, stream("joiner"))


def met(asks: WordQuestion, offers: WordOffer) -> WordVerdict:
    reply = offers.reply(asks.opening)
    assert reply is not None
    confirm = asks.confirm(reply)
    assert confirm is not None
    return offers.judge(confirm)


@pytest.mark.parametrize("golden", GOLDEN, ids=["digit", "any"])
def test_each_message_is_what_it_must_be_for_ever(golden: tuple[int | None, str, ...]) -> None:
    digit, opening, reply, confirm, box = golden
    asks, offers = question(digit=digit), offer()
    assert asks.opening.hex() == opening
    assert (said := offers.reply(asks.opening)) is not None and said.hex() == reply
    assert (second := asks.confirm(said)) is not None and second.hex() == confirm
    assert offers.judge(second) is WordVerdict.RIGHT
    assert offers.box(CODE, NONCE).hex() == box
    assert asks.open(bytes.fromhex(box)) == CODE


def test_the_messages_have_the_lengths_of_the_page() -> None:
    assert (OPENING_BYTES, REPLY_BYTES, CONFIRM_BYTES, BOX_BYTES) == (34, 33, 32, 202)


def test_codes_of_every_length_are_boxes_of_one_length() -> None:
    for code in ("l", 160 * "z"):
        asks, offers = question(), offer()
        assert met(asks, offers) is WordVerdict.RIGHT
        box = offers.box(code, NONCE)
        assert len(box) == BOX_BYTES and asks.open(box) == code


@pytest.mark.parametrize("wrong", ["tiger-lamp-zoo", "tiger-ocean-lamp", "", "tiger-lamp-ocean\0"])
def test_other_words_are_wrong_and_learn_nothing(wrong: str) -> None:
    asks, offers = question(wrong), offer()
    assert met(asks, offers) is WordVerdict.WRONG
    with pytest.raises(AssertionError):
        offers.box(CODE, NONCE)


def test_the_words_are_the_same_whatever_digit_was_left_out_but_another_digit_is_not_answered() -> (
    None
):
    assert met(question(digit=None), offer()) is WordVerdict.RIGHT
    for digit in range(10):
        assert (offer().reply(question(digit=digit).opening) is None) == (digit != DIGIT)


def test_every_changed_byte_of_the_opening_ends_in_nothing() -> None:
    """Who changes it on its way changes what both sides have: a try, if it is an element at all."""
    asks, seen = question(), set()
    for place in range(OPENING_BYTES):
        offers = offer()
        changed = bytearray(asks.opening)
        changed[place] ^= 1
        reply = offers.reply(bytes(changed))
        if place < 2:
            assert reply is None
            continue
        assert reply is not None
        confirm = question().confirm(reply)
        assert confirm is not None
        verdict = offers.judge(confirm)
        assert verdict is not WordVerdict.RIGHT
        seen.add(verdict)
    assert WordVerdict.NO_GUESS in seen


def test_a_digit_changed_to_any_is_a_try() -> None:
    asks, offers = question(), offer()
    reply = offers.reply(asks.opening[:1] + b"\xff" + asks.opening[2:])
    assert reply is not None and (confirm := asks.confirm(reply)) is not None
    assert offers.judge(confirm) is WordVerdict.WRONG


def test_every_changed_byte_of_the_reply_ends_in_nothing() -> None:
    reply = offer().reply(question().opening)
    assert reply is not None
    for place in range(REPLY_BYTES):
        asks, offers = question(), offer()
        offers.reply(asks.opening)
        changed = bytearray(reply)
        changed[place] ^= 1
        confirm = asks.confirm(bytes(changed))
        assert confirm is None or offers.judge(confirm) is WordVerdict.WRONG


def test_every_changed_byte_of_the_confirmation_is_a_try() -> None:
    for place in range(CONFIRM_BYTES):
        asks, offers = question(), offer()
        reply = offers.reply(asks.opening)
        assert reply is not None
        confirm = asks.confirm(reply)
        assert confirm is not None
        changed = bytearray(confirm)
        changed[place] ^= 1
        assert offers.judge(bytes(changed)) is WordVerdict.WRONG


def test_every_changed_byte_of_the_box_opens_nothing() -> None:
    asks, offers = question(), offer()
    assert met(asks, offers) is WordVerdict.RIGHT
    box = offers.box(CODE, NONCE)
    for place in range(BOX_BYTES):
        changed = bytearray(box)
        changed[place] ^= 1
        assert asks.open(bytes(changed)) is None
    assert asks.open(box) == CODE


def test_other_lengths_are_nothing() -> None:
    """spake2 itself takes bytes behind an element."""
    asks, offers = question(), offer()
    for wrong in (b"", asks.opening[:-1], asks.opening + b"\0", asks.opening + 6 * b"x"):
        assert offers.reply(wrong) is None
    reply = offers.reply(asks.opening)
    assert reply is not None
    for wrong in (b"", reply[:-1], reply + b"\0"):
        assert question().confirm(wrong) is None
    confirm = asks.confirm(reply)
    assert confirm is not None
    for wrong in (b"", confirm[:-1], confirm + b"\0"):
        again = offer()
        again.reply(asks.opening)
        assert again.judge(wrong) is WordVerdict.WRONG
    box = bytes(BOX_BYTES)
    assert [asks.open(one) for one in (b"", box[:-1], box + b"\0", box)] == [None] * 4


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda point: point.hex()[:6])
def test_a_point_of_low_order_is_no_guess_and_gets_none(point: bytes) -> None:
    offers = offer()
    assert offers.reply(bytes([1, DIGIT]) + point) is not None
    assert offers.judge(bytes(32)) is WordVerdict.NO_GUESS
    assert question().confirm(b"B" + point) is None


def test_a_point_outside_of_the_right_subgroup_is_no_guess() -> None:
    """A right element and one of order 8 added to it: it is on the curve."""
    low = bytes_to_unknown_group_element(LOW_ORDER[3])
    mixed = bytes_to_unknown_group_element(question().opening[2:]).add(low)
    offers = offer()
    assert offers.reply(bytes([1, DIGIT]) + mixed.to_bytes()) is not None
    assert offers.judge(bytes(32)) is WordVerdict.NO_GUESS


def test_what_was_said_given_back_is_nothing() -> None:
    asks, offers = question(), offer()
    assert asks.confirm(b"B" + asks.opening[2:]) is None
    assert asks.confirm(b"A" + asks.opening[2:]) is None
    reply = offers.reply(asks.opening)
    assert reply is not None
    again = offer()
    assert again.reply(bytes([1, DIGIT]) + reply[1:]) is not None
    assert again.judge(bytes(32)) is WordVerdict.NO_GUESS


def test_a_recorded_exchange_is_worth_nothing_at_another_offer() -> None:
    asks, offers = question(), offer()
    reply = offers.reply(asks.opening)
    assert reply is not None and (confirm := asks.confirm(reply)) is not None
    other = WordOffer(SECRET, DIGIT, stream("another"))
    other.reply(asks.opening)
    assert other.judge(confirm) is WordVerdict.WRONG


def test_a_pseudo_random_opening_never_gets_through() -> None:
    draw = stream("guesses")
    for _ in itertools.repeat(None, 40):
        offers = offer()
        offers.reply(bytes([1, DIGIT]) + draw(32))
        assert offers.judge(draw(32)) is not WordVerdict.RIGHT
