"""One table of peer.toml: reads its keys one by one, and refuses each wrong one with a sentence
that names it.

Knows what kinds of values there are. Must not know which table has which of them.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from msgspec import Struct

from leftzmq.bandwidth.timetable import Timetable, parse_timetable
from leftzmq.config.values import MAX_NAME_CHARS, MAX_PLACE_BYTES, is_name
from leftzmq.endpoint import Endpoint
from leftzmq.errors import ConfigError

_EXAMPLES = {
    "device": '[device] with name = "peer-a"',
    "name": 'name = "peer-a"',
    "state": 'state = "../state/peer-a"',
    "listen": 'listen = "tcp://127.0.0.1:7700"',
    "id": 'id = "share"',
    "path": 'path = "../share"',
    "secret": 'secret = "../share.secret"',
    "ignore": 'ignore = ["*.iso", "/scratch/"]',
    "only": 'only = ["photos/2026/", "notes.txt"]',
}
_TOML_TYPES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number with a point",
    str: "text",
    list: "a list",
    dict: "a table",
}


class Table(Struct, frozen=True):
    """One table of the file, and its title: "[device]", "[[peer]] no. 2", "" for the file.

    The methods that read a key raise ConfigError if its value is of another kind.
    """

    file: Path
    title: str
    values: dict[str, Any]

    def where(self, key: str) -> str:
        key = key[:MAX_NAME_CHARS]
        return f"{self.file}: {self.title} {key}" if self.title else f"{self.file}: {key}"

    def allow(self, *known: str) -> None:
        for key in self.values:
            if key not in known:
                nearest = difflib.get_close_matches(key[:MAX_NAME_CHARS], known, n=1, cutoff=0.0)[0]
                said = f'did you mean "{nearest}"? Known here: {", ".join(known)}'
                raise ConfigError("is not known", self.where(key), said)

    def missing(self, key: str) -> ConfigError:
        return ConfigError("is missing", self.where(key), f"add {_EXAMPLES[key]}")

    def text(self, key: str) -> str | None:
        value = self.values.get(key)
        if value is None or isinstance(value, str):
            return value
        do = f'write {key} = "..."'
        raise ConfigError(f"wants text in quotes, got {kind_of(value)}", self.where(key), do)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, which may be empty; without any if it is left out."""
        value, do = self.values.get(key, []), f"write {_EXAMPLES[key]}"
        if not isinstance(value, list):
            what = f"wants a list of texts, got {kind_of(value)}"
            raise ConfigError(what, self.where(key), do)
        for number, one in enumerate(value, start=1):
            if not isinstance(one, str):
                what = f"wants a list of texts, and no. {number} of it is {kind_of(one)}"
                raise ConfigError(what, self.where(key), do)
        return tuple(value)

    def required(self, key: str) -> str:
        value = self.text(key)
        if value is None:
            raise self.missing(key)
        if not value.strip():
            raise ConfigError("is empty", self.where(key), f"write {_EXAMPLES[key]}")
        return value

    def name(self, key: str) -> str:
        value = self.required(key)
        if not is_name(value):
            raise ConfigError(
                f"is {value[:MAX_NAME_CHARS]!r} ({len(value)} characters)",
                self.where(key),
                f"write 1 to {MAX_NAME_CHARS} printable characters, no space at either end",
            )
        return value

    def path(self, key: str) -> Path:
        value = self.required(key)
        if value.startswith("~"):
            do = "write it from / on, or relative to this file"
            raise ConfigError("begins with ~, which means nothing here", self.where(key), do)
        if len(value.encode()) > MAX_PLACE_BYTES:
            do = f"name a place whose path has at most {MAX_PLACE_BYTES} bytes"
            raise ConfigError("is no usable path: it is too long", self.where(key), do)
        try:
            return (self.file.parent / value).resolve()
        except (OSError, ValueError, RuntimeError) as error:  # a loop of links, a NUL
            do = "name another place"
            raise ConfigError(f"is no usable path: {error}", self.where(key), do) from None

    def number(self, key: str, low: int, high: int, unit: str, default: float) -> float:
        """Return a number from `low` to `high`, with or without a point; `default` if it is left
        out."""
        value = self.values.get(key, default)
        do = f"write a number of {unit} from {low} to {high}, or leave it out: {default:g}"
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ConfigError(f"wants a number, got {kind_of(value)}", self.where(key), do)
        if not low <= value <= high:  # also false for nan
            # Python does not even write the digits of an integer that is too large for a float.
            what = (
                f"is {value}" if isinstance(value, float) or abs(value) < 1 << 63 else "is far off"
            )
            raise ConfigError(what, self.where(key), do)
        return float(value)

    def count(self, key: str, low: int, high: int, unit: str, default: int) -> int:
        """Return an integer from `low` to `high`; `default` if it is left out."""
        value = self.number(key, low, high, unit, default)
        if value != int(value):
            do = f"write a whole number of {unit}"
            raise ConfigError(f"is {value}", self.where(key), do)
        return int(value)

    def yes_or_no(self, key: str, default: bool) -> bool:
        """Return true or false; `default` if it is left out."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            do = f"write {key} = true or {key} = false"
            raise ConfigError(f"wants true or false, got {kind_of(value)}", self.where(key), do)
        return value

    def endpoint(self, key: str, *, own: bool) -> Endpoint | None:
        value = self.text(key)
        return None if value is None else Endpoint.parse(value, self.where(key), own=own)

    def timetable(self, key: str) -> Timetable:
        """Return a limit: a rate, or a timetable; without limits if it is left out."""
        value = self.text(key)
        return Timetable() if value is None else parse_timetable(value, self.where(key))

    def table(self, key: str) -> Table:
        """Return the one table of this name, which is there. Raises ConfigError if it is a list or
        a value."""
        values = self.values[key]
        if not isinstance(values, dict):
            what = f"wants one table, got {kind_of(values)}"
            raise ConfigError(what, self.where(key), f"begin it with a line [{key}]")
        return Table(self.file, f"[{key}]", values)

    def tables(self, key: str, limit: int) -> list[Table]:
        found = self.values.get(key, [])
        title = f"[[{key}]]"
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            do = f"begin each of them with a line {title}"
            raise ConfigError(
                f"wants tables in a list, got {kind_of(found)}", self.where(title), do
            )
        if len(found) > limit:
            do = f"leave at most {limit}"
            raise ConfigError(f"there are {len(found)} of them", self.where(title), do)
        return [Table(self.file, f"{title} no. {n}", one) for n, one in enumerate(found, start=1)]


def kind_of(value: object) -> str:
    """Return the kind of this value, in words."""
    return _TOML_TYPES.get(type(value), "a date or time")
