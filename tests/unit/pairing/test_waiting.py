"""Who waits for a person's answer: how many, and how long."""

from __future__ import annotations

from leftzmq.pairing.waiting import SILENT_S, Applicant, Waiting


def applicant(number: int, name: str = "beta", address: str = "10.0.0.1") -> Applicant:
    return Applicant(bytes([number] * 32), name, address, 1_800_000_000.0 + number)


def test_a_device_waits_once_by_the_name_of_its_first_knock() -> None:
    waiting = Waiting()
    assert waiting.knocked(applicant(1), 8, 100.0)
    assert waiting.knocked(applicant(2), 8, 101.0)
    again = Applicant(bytes([1] * 32), "your laptop", "10.0.0.2", 1_900_000_000.0)
    assert waiting.knocked(again, 8, 102.0)
    assert waiting.all(103.0) == (applicant(1, address="10.0.0.2"), applicant(2))


def test_no_more_wait_than_may_and_who_waits_already_stays() -> None:
    waiting = Waiting()
    assert all(waiting.knocked(applicant(number), 2, 100.0) for number in (1, 2))
    assert not waiting.knocked(applicant(3), 2, 101.0)
    assert waiting.knocked(applicant(1), 2, 101.0)
    assert not waiting.knocked(applicant(3), 0, 101.0)


def test_who_knocks_no_more_makes_room_and_who_does_stays() -> None:
    waiting = Waiting()
    for number in (1, 2):
        waiting.knocked(applicant(number), 2, 100.0)
    waiting.knocked(applicant(2), 2, 101.0)
    assert waiting.all(100.0 + SILENT_S - 0.1) == (applicant(1), applicant(2))
    assert waiting.all(100.0 + SILENT_S) == (applicant(2),)
    assert waiting.knocked(applicant(3), 2, 100.0 + SILENT_S)


def test_who_is_answered_waits_no_more() -> None:
    waiting = Waiting()
    waiting.knocked(applicant(1), 8, 100.0)
    waiting.forget(applicant(1).device)
    waiting.forget(applicant(2).device)
    assert waiting.all(100.0) == ()
