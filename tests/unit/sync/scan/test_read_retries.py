"""sync/scan/read_retries: when what could not be read is tried again."""

from __future__ import annotations

from leftzmq.sync.scan.read_retries import RETRY_S, ReadRetries


def test_patience_grows_with_every_try_of_ours() -> None:
    read_retries = ReadRetries()
    read_retries.read_failed("a", 0.0)
    assert read_retries.due(RETRY_S - 1) == []
    assert read_retries.due(RETRY_S) == ["a"]
    read_retries.read_failed("a", RETRY_S)
    assert read_retries.deadline() == RETRY_S + 2 * RETRY_S


def test_a_look_that_a_peer_asked_for_does_not_put_off_ours() -> None:
    """It asks every two seconds; in half a minute our own next try would be an hour away."""
    read_retries = ReadRetries()
    for second in range(5):
        read_retries.read_failed("a", float(second))
    assert read_retries.deadline() == RETRY_S
