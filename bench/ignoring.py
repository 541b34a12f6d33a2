"""Measures what it costs to ask whether a path is ignored.

usage: python bench/ignoring.py [--rules N] [--paths N]
The rules are a mix as in large projects' `.gitignore` files: literal names, `*.ext`, paths from the
folder on, folders only, and patterns with wildcards. The paths are those of a large source tree,
in folders of about 20, asked folder by folder as a walk does. Litter is judged, too.

Prints one JSON line for each row: microseconds a path of this process's user CPU time (what else
runs on the machine changes them little), over all paths, each asked for the first time, and, as
`again_us`, asked once more. Rows: "none" (litter alone), "mix", "wild" (every rule has wildcards),
"nested" (the mix split over 100 folders). "worst" are rules written to be slow, over names of 255
bytes: in the largest file that is read, and `files` of them, one in each folder above.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
from collections.abc import Iterable, Sequence

from leftzmq.tree.entry import Kind
from leftzmq.tree.ignoring.rule_file import MAX_WILD_BYTES, RuleFile, parse_leftignore
from leftzmq.tree.ignoring.share_rules import IgnoreRules

WORDS = tuple(
    re.findall(
        r"\w+",
        """
build cache core data debug dist docs draft export fixture generated grammar host image index
input kernel layout legacy log main model module net notes object output parser patch plan proto
query record release report result sample schema script server shadow source stage static store
table target temp test token trace tree unit user value vendor view work
""",
    )
)
ENDINGS = ("c", "h", "o", "so", "py", "pyc", "js", "map", "css", "html", "md", "txt", "json", "log")

NAMES = tuple(
    re.findall(
        r"\w+",
        """
        account album answer article author balance barrel basket bridge budget camera candle canvas
        chapter circle client collect colour contact corner county create dealer deliver detail
        device dialog dinner double driver editor effect energy engine family father figure finish
        flower folder forest friend garden handle harbour invoice island journey kitchen letter
        manager market member memory minute mirror orange order palace person picture planet player
        """,
    )
)


def word(chance: random.Random) -> str:
    return chance.choice(WORDS) + chance.choice(("", "", f"_{chance.choice(WORDS)}"))


def literal(chance: random.Random) -> str:
    return f"{word(chance)}{chance.randrange(1000)}"


def wild(chance: random.Random) -> str:
    one, other, ending = word(chance), word(chance), chance.choice(ENDINGS)
    return chance.choice(
        (
            f"{one}*",
            f"*{one}.{ending}",
            f"{one}-*.{ending}",
            f"*.{ending}.[0-9]",
            f"{one}_??.{ending}",
            f"*[-_]{one}",
            f"/{one}/*.{ending}",
            f"{one}/**/{other}",
            f"**/{one}/*_{other}.{ending}",
            f"/{one}[0-9]/",
            f".{one}*.{ending}~",
        )
    )


def mixed(chance: random.Random) -> str:
    which = chance.random()
    if which < 0.4:
        rule = literal(chance)
    elif which < 0.55:
        rule = f"*.{chance.choice(ENDINGS)}{chance.randrange(100)}"
    elif which < 0.75:
        rule = f"/{word(chance)}/{literal(chance)}"
    else:
        rule = wild(chance)
    if chance.random() < 0.2:
        rule += "/"
    return f"!{rule}" if chance.random() < 0.05 else rule


def kept_name(chance: random.Random) -> str:
    """One in 50 is made of the words that the rules are made of."""
    words = WORDS if chance.random() < 0.02 else NAMES
    return f"{chance.choice(words)}_{chance.choice(NAMES)}{chance.randrange(100)}"


def tree(chance: random.Random, paths: int) -> list[tuple[str, Kind]]:
    """Paths folder by folder, as a walk lists them."""
    found: list[tuple[str, Kind]] = []
    folders = [""]
    for folder in folders:
        for _ in range(chance.randrange(10, 30)):
            is_folder = len(folders) * 20 < paths and chance.random() < 0.2
            name = kept_name(chance) + ("" if is_folder else f".{chance.choice(ENDINGS)}")
            path = f"{folder}/{name}" if folder else name
            found.append((path, Kind.DIRECTORY if is_folder else Kind.FILE))
            if is_folder and path.count("/") < 12:
                folders.append(path)
        if len(found) >= paths:
            break
    return found[:paths]


def read(rules: Iterable[str]) -> RuleFile:
    file = parse_leftignore("\n".join(rules).encode())
    assert file.unusable is None and not file.mistakes, (file.unusable, file.mistakes[:3])
    return file


def user_s() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def measure(name: str, asked: IgnoreRules, paths: Sequence[tuple[str, Kind]], **said: int) -> None:
    took = []
    ignored = 0
    for _ in range(2):
        began = user_s()
        ignored = sum(asked.verdict(path, kind) is not None for path, kind in paths)
        took.append((user_s() - began) / len(paths) * 1e6)
    row = {"row": name, **said, "paths": len(paths), "ignored": ignored}
    print(json.dumps(row | {"us": round(took[0], 2), "again_us": round(took[1], 2)}), flush=True)


def worst(files: int, names: int, chance: random.Random) -> None:
    """Every byte of a name is one that the rules wait for; few names have the same beginning."""
    count = MAX_WILD_BYTES // 20
    text = [
        "*" + "*".join(chance.choices(("a", "b", "ab", "?a", "b?b"), k=7)) for _ in range(count)
    ]
    text = [rule[:19] + "b" for rule in text]
    folders = [""]
    rules = IgnoreRules()
    for _ in range(files):
        rules = rules.with_file(f"{folders[-1]}.leftignore", read(text))
        folders.append(f"{folders[-1]}d/")
    paths = [
        (folders[files - 1] + "".join(chance.choices("ab", k=255)), Kind.FILE) for _ in range(names)
    ]
    measure("worst", rules, paths, rules=count, files=files)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--paths", type=int, default=100_000)
    asked = parser.parse_args()
    chance = random.Random(5)
    paths = tree(chance, asked.paths)
    mix = [mixed(chance) for _ in range(asked.rules)]
    began = user_s()
    file = read(mix)
    one = IgnoreRules().with_file(".leftignore", file)
    one.verdict("a", Kind.FILE)
    made = round((user_s() - began) * 1000, 1)
    print(json.dumps({"row": "read and made ready", "rules": asked.rules, "ms": made}))
    measure("none", IgnoreRules(), paths)
    measure("mix", one, paths, rules=asked.rules)
    every = [wild(chance) for _ in range(asked.rules)]
    measure("wild", IgnoreRules().with_file(".leftignore", read(every)), paths, rules=asked.rules)
    nested = IgnoreRules()
    folders = [path for path, kind in paths if kind is Kind.DIRECTORY and path.count("/") < 3]
    places = ["", *chance.sample(folders, min(99, len(folders)))]
    for number, folder in enumerate(places):
        part = read(mix[number :: len(places)])
        nested = nested.with_file(f"{folder}/.leftignore" if folder else ".leftignore", part)
    measure("nested", nested, paths, rules=asked.rules, files=len(places))
    worst(1, 2000, chance)
    worst(64, 20, chance)


if __name__ == "__main__":
    main()
