"""docs/limits.md: what stands there as an example can be used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leftzmq.bandwidth.rate import MIN_BYTES_S, UNITS, rate_text
from leftzmq.bandwidth.timetable import WEEK_MINUTES, parse_timetable
from leftzmq.config import load
from leftzmq.content.key_text import key_text
from leftzmq.errors import ConfigError

TEXT = (Path(__file__).parents[3] / "docs" / "limits.md").read_text()
DEVICE = '[device]\nname = "alpha"\nstate = "state"\nlisten = "tcp://127.0.0.1:7700"\n'
EXAMPLES = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
PROSE = re.sub(r"```toml\n.*?```", "", TEXT, flags=re.S)
QUOTED = {" ".join(text.split()) for text in re.findall(r"`([^`]+)`", PROSE)}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_config(tmp_path: Path, example: str) -> None:
    file = tmp_path / "peer.toml"
    file.write_text(DEVICE + example.replace("what beta printed", key_text(bytes(31) + b"\1")))
    config = load(file)
    assert config.limits.up.parts or config.peers[0].limits.up.parts


def test_what_is_quoted_holds() -> None:
    assert set(UNITS) <= QUOTED
    assert rate_text(MIN_BYTES_S) in TEXT
    long = next(text for text in QUOTED if text.count(",") == 3)
    table = parse_timetable(long, "")
    assert all(table.rate_at(minute) for minute in range(WEEK_MINUTES)), "no hole is left"
    assert parse_timetable("fri 22:00-02:00 off", "").rate_at(5 * 24 * 60 + 119) == 0
    assert "fri 22:00-02:00" in QUOTED
    for wrong in ("25:00", "0"):
        with pytest.raises(ConfigError):
            parse_timetable(f"{wrong}-26:00 off" if ":" in wrong else wrong, "")
