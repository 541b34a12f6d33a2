"""Rates as users write them."""

from __future__ import annotations

import pytest

from leftzmq.bandwidth.rate import parse_rate, rate_text
from leftzmq.errors import ConfigError

GOOD = {
    "2 MB/s": 2_000_000,
    "2MB/s": 2_000_000,
    " 500 kB/s ": 500_000,
    "0.5 MB/s": 500_000,
    "1 GB/s": 1_000_000_000,
    "1000 B/s": 1_000,
    "64 KiB/s": 65_536,
    "1.5 MiB/s": 1_572_864,
    "1 GiB/s": 1 << 30,
}
BAD = {
    "0 MB/s": "'0 MB/s' lets nothing pass",
    "0.0 kB/s": "'0.0 kB/s' lets nothing pass",
    "-0 kB/s": "'-0 kB/s' lets nothing pass",
    "-2 MB/s": "'-2 MB/s' is negative",
    "2": "'2' has no unit",
    "2 ": "'2 ' has no unit",
    "2 mb/s": "'2 mb/s' has the unit 'mb/s', which is not known",
    "2 Mbit/s": "'2 Mbit/s' has the unit 'Mbit/s', which is not known",
    "2 MB": "'2 MB' has the unit 'MB', which is not known",
    "2 MB /s": "'2 MB /s' is no rate",
    "fast": "'fast' is no rate",
    "1e3 kB/s": "'1e3 kB/s' is no rate",
    "½ MB/s": "'½ MB/s' is no rate",
    "999 B/s": "'999 B/s' is less than 1 kB/s",
    "0.0001 kB/s": "'0.0001 kB/s' is less than 1 kB/s",
    "1001 GB/s": "'1001 GB/s' is more than any line carries",
    "9" * 13 + " B/s": f"'{'9' * 13} B/s' is no rate",
}


@pytest.mark.parametrize(("text", "bytes_s"), GOOD.items())
def test_a_rate_is_a_number_and_a_unit(text: str, bytes_s: int) -> None:
    assert parse_rate(text, "here") == bytes_s


@pytest.mark.parametrize(("text", "what"), BAD.items())
def test_what_is_no_rate_is_refused_with_a_sentence(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rate(text, "here")
    assert (caught.value.what, caught.value.where) == (what, "here")
    assert caught.value.do


@pytest.mark.parametrize("text", ["0 MB/s", "999 B/s"])
def test_who_wants_to_let_nothing_pass_reads_of_pause(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rate(text, "here")
    assert "leftzmq pause" in caught.value.do


@pytest.mark.parametrize(
    ("bytes_s", "text"),
    [(1_000, "1 kB/s"), (500_000, "500 kB/s"), (2_000_000, "2 MB/s"), (1_572_864, "1.573 MB/s")],
)
def test_a_rate_is_shown_in_decimal_units(bytes_s: int, text: str) -> None:
    assert rate_text(bytes_s) == text
