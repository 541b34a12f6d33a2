"""Epochs: what is held, what is named, what may seal, and what goes when there are too many."""

from __future__ import annotations

from leftzmq.content.epochs import MAX_EPOCHS, NO_EPOCH, Epochs
from leftzmq.content.keys import derive_epoch, derive_keys

FIRST = derive_keys(bytes(32)).first


def secret(number: int) -> bytes:
    return number.to_bytes(32, "big")


def tag(number: int) -> bytes:
    return derive_epoch(secret(number)).tag


def test_at_first_the_first_epoch_is_in_use_and_its_secret_is_not_ours_to_tell() -> None:
    epochs = Epochs(FIRST)
    assert epochs.in_use == epochs.keys(FIRST.tag) == FIRST
    assert epochs.tag == epochs.stale_tag == FIRST.tag
    assert epochs.may_seal(FIRST.tag) and list(epochs.held) == [FIRST.tag]
    assert epochs.secret(FIRST.tag) is None
    assert epochs.hold(bytes(32)) == FIRST and epochs.secret(FIRST.tag) is None


def test_a_secret_that_is_held_opens_and_does_not_seal_before_it_is_used() -> None:
    epochs = Epochs(FIRST)
    keys = epochs.hold(secret(1))
    assert epochs.keys(keys.tag) == keys and epochs.secret(keys.tag) == secret(1)
    assert epochs.in_use == FIRST and not epochs.may_seal(keys.tag)
    assert epochs.use(frozenset((keys.tag,)), keys.tag)
    assert epochs.in_use == keys and epochs.tag == keys.tag and epochs.may_seal(keys.tag)
    assert epochs.keys(FIRST.tag) == FIRST and not epochs.may_seal(FIRST.tag)
    assert not epochs.use(frozenset((keys.tag,)), keys.tag), "it is the same one"


def test_while_none_may_be_used_questions_name_the_first_one_and_answers_none() -> None:
    epochs = Epochs(FIRST)
    epochs.hold(secret(1))
    assert epochs.use(frozenset(), None)
    assert epochs.in_use is None
    assert epochs.tag == FIRST.tag and epochs.stale_tag == NO_EPOCH
    assert not any(epochs.may_seal(each) for each in epochs.held)


def test_a_reader_in_another_thread_sees_whole_mappings() -> None:
    epochs = Epochs(FIRST)
    before = epochs._keys
    epochs.hold(secret(1))
    assert list(before) == [FIRST.tag] and epochs._keys is not before


def test_of_too_many_those_that_may_not_be_used_go_first_and_never_the_one_in_use() -> None:
    epochs = Epochs(FIRST)
    for number in range(1, MAX_EPOCHS + 1):
        assert epochs.surplus() == []
        epochs.hold(secret(number))
    clean = frozenset(tag(number) for number in range(3, MAX_EPOCHS + 1))
    epochs.use(clean, max(clean))
    for number, gone in ((5000, secret(1)), (5001, secret(2))):
        assert epochs.surplus() == [gone]
        epochs.hold(secret(number), [gone])
        assert epochs.keys(derive_epoch(gone).tag) is None
        epochs.use(clean | {tag(5000), tag(5001)} & set(epochs.held), epochs.tag)
    (lowest,) = epochs.surplus()
    assert derive_epoch(lowest).tag == min(epochs.held - {FIRST.tag})
    assert len(epochs.held) == MAX_EPOCHS + 1 and FIRST.tag in epochs.held


def test_no_repr_shows_a_secret() -> None:
    epochs = Epochs(FIRST)
    epochs.hold(b"s" * 32)
    assert "ssss" not in repr(epochs) and "ssss" not in repr(epochs.in_use)
