"""200 names and more that a hostile device could send as paths, each with its due refusal, or None
where the name is legal and must be handled like any other.

Tables of shapes make the names; none is written by hand twice.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Final

from leftzmq.errors import Refusal

Due = frozenset[Refusal] | None

LEGAL: Final[Due] = None
UNCLEAN: Final = frozenset((Refusal.PATH_UNCLEAN,))
ABSOLUTE: Final = frozenset((Refusal.PATH_ABSOLUTE,))
NUL: Final = frozenset((Refusal.PATH_NUL,))
RESERVED: Final = frozenset((Refusal.PATH_RESERVED,))
TOO_LONG: Final = frozenset((Refusal.PATH_TOO_LONG,))
OVER_THE_SCHEMA: Final = frozenset((Refusal.WRONG_SHAPE, *TOO_LONG, Refusal.PATH_EMPTY))
NOT_UTF8: Final = frozenset((Refusal.NOT_MSGPACK,))

UP: Final = (
    "..",
    "../up",
    "../../up",
    "in/..",
    "in/../up",
    "in/../../up",
    "in/../in/../../up",
    "./../up",
    "../outside/sentinel",
    "in/../../outside/sentinel",
    "../" * 40 + "etc/passwd",
    "..\u200d/up",
    ".\u200c./up",
    "in/\u2060../up",
)
DOTS: Final = (".", "./in", "in/.", "in/./x", "in//x", "in/", "in/x/", "in/./", "in///", "\u200b")
FROM_THE_ROOT: Final = ("/", "//", "/up", "/etc/passwd", "//in", "/..", "/.left", "/proc/self/fd/0")
WITH_NUL: Final = ("\0", "a\0", "\0a", "a\0b", "in/\0", "in\0/x", "a\0/../up", "../\0up")
OURS: Final = (
    ".left",
    ".left/marker",
    ".left/trash",
    ".left/trash/x",
    ".left/new",
    ".LEFT",
    ".Left/marker",
    ".lEFT/trash/x",
    ".le\u200cft/marker",
    ".\u00adleft",
    "\ufeff.left/marker",
    ".left\u200d/marker",
    ".LE\ufe0fFT/x",
    "x.lefting",
    "x.LEFTING",
    "x.Lefting",
    ".lefting",
    "in/x.lefting",
    "in/.lefting",
    "x.lefting/y",
    "x.LeFtInG/y",
    "x.left\u200bing",
    "x.lefting\u00ad",
    ".0123456789abcdef.lefting",
)
NEARLY_OURS: Final = (
    "left",
    "..left",
    ".left ",
    ".left.",
    ".left0",
    ".leftover/x",
    "in/.left",
    "in/.left/marker",
    "in/.LEFT/trash",
    "x.lefting ",
    "x.lefting.",
    "x.leftings",
    "lefting",
    "x.conflict-20270115-080000-ABCDEFG-0000.txt",
    "x.conflict-20270115-080000-ABCDEFG-0000.conflict-20270115-080000-ABCDEFG-0000",
    ".conflict-20270115-080000-ABCDEFG-",
)
SPOKEN: Final = (
    "\n",
    "a\nb",
    "a\r\nready control=x",
    "\x1b[2J",
    "\x1b]0;owned\x07",
    "\x1b[31mred\x1b[0m",
    "\x9b2J",
    "\x07",
    "\x7f",
    "\b\b\b\bgone",
    "a\tb",
    "\u2028",
    "\u202etxt.exe",
    "\u2066a\u2069",
    "%s%n%x",
    "$(touch up)",
    "`id`",
    ";id",
    "|id",
    "&& id",
    "-rf",
    "--",
    "-",
    "*",
    "?",
    "[a]",
    "{a,b}",
    "~",
    "~root",
    "$HOME",
    "'",
    '"',
    "\\",
    "..\\up",
    "in\\..\\up",
    "\\\\host\\share",
    "C:\\up",
    "C:up",
    "file:stream",
    "a:b",
    "<a>",
    "#a",
    "!a",
    "=1+1",
    "@import",
    "http:",
    "self",
    "fd",
    "proc/self/exe",
    "in/fd",
    "in/lost+found",
    "con",
    "CON",
    "nul",
    "aux.txt",
    "com1",
    "lpt1.txt",
    "lost+found",
    ".git/hooks/post-checkout",
    ".ssh/authorized_keys",
    ".bashrc",
    "desktop.ini",
    ".DS_Store",
    "Thumbs.db",
    "core",
    ".nfs0000000000000001",
    ".fuse_hidden0001",
    "marker",
    "trash",
    "peer.toml",
    "share.secret",
    "index.db",
    "device.key",
)
SPACES: Final = (" ", "  ", " a", "a ", "a.", "a..", "...", "....", ". ", ".. ", " ..", "a . ")
ALIKE: Final = (
    "ﬁle",
    "Ⅻ",
    "\u0430",  # a Cyrillic a
    "a\u0301",
    "\u00e1",
    "\u212b",
    "\u00c5",
    "A\u030a",
    "ß",
    "ẞ",
    "SS",
    "İ",
    "ı",
    "ſ",
    "K",
    "\uac00",
    unicodedata.normalize("NFD", "\uac00"),
    "．．",
    "．．／up",
    "․․",
    "∕etc∕passwd",
    "⁄etc",
    "／etc",
    "a\u0300\u0301\u0302\u0303" * 10,
    "\U0001f600",
    "\U0001f1e9\U0001f1ea",
    "\ue000",
    "\ufdd0",
    "\U0010ffff",
    "\ufffd",
)
LONG_LEGAL: Final = (
    "n" * 250,
    "n" * 255,
    "\u00e9" * 127,
    "\U0001f600" * 63,
    "\n" * 255,
    "d/" * 127 + "x",
    "/".join(["n" * 240] * 17),  # 4096 bytes
)
LONG: Final = (
    "n" * 256,
    "\u00e9" * 128,
    "\U0001f600" * 64,
    "d/" * 128 + "x",
    "in/" + "n" * 256,
)
NO_TEXT: Final = (b"\xff", b"a\xffb", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80")


def table() -> Iterator[tuple[str, bytes, Due]]:
    """Yields (what it is, the bytes of the path, the due refusal)."""
    rows: list[tuple[str, tuple[str, ...], Due]] = [
        ("up", UP, UNCLEAN),
        ("dots", DOTS, UNCLEAN),
        ("from the root", FROM_THE_ROOT, ABSOLUTE),
        ("NUL", WITH_NUL, NUL),
        ("ours", OURS, RESERVED),
        ("nearly ours", NEARLY_OURS, LEGAL),
        ("spoken", SPOKEN, LEGAL),
        ("spaces", SPACES, LEGAL),
        ("alike", ALIKE, LEGAL),
        ("long", LONG_LEGAL, LEGAL),
        ("too long", LONG, TOO_LONG),
    ]
    for what, names, due in rows:
        for name in names:
            yield what, name.encode(), due
    for raw in NO_TEXT:
        yield "no text", raw, NOT_UTF8
    yield "empty", b"", OVER_THE_SCHEMA
    yield "over the schema", b"/".join([b"n" * 240] * 16 + [b"n" * 241]), OVER_THE_SCHEMA
    yield "over the schema", b"n/" * 2050 + b"n", OVER_THE_SCHEMA


TABLE: Final = tuple(table())
"""Each name once."""
