"""Facts, jobs and entries in a few words, for a trace that a person reads.

Knows shapes. Must not be part of what a run does, nor of its hash.
"""

from __future__ import annotations

from typing import Any

from leftzmq.disk.scan.sighting import Sighting
from leftzmq.sync.facts import MessageArrived, PageArrived, PathsTouched
from leftzmq.sync.jobs import Applied, Apply, Look, Looked, StageSmall, Walk, Walked
from leftzmq.tree.entry import Entry
from leftzmq.tree.plan import Operation


def brief(what: object) -> str:
    """Returns the subject of this fact or job in a few words."""
    match what:
        case PathsTouched(_, touches):
            return ", ".join(f"{path} {touch.name}" for path, touch in touches)
        case PageArrived(link, page, answer):
            head = f"{_who(link.device)} ({page.after}, {page.last}] of {page.head}"
            kind = "whole" if page.whole else "answer" if answer else "news"
            return f"{kind} {head} {[of_entry(entry) for entry in page.entries]}"
        case MessageArrived(link, message):
            return f"{type(message).__name__} from {_who(link.device)} {link.way.value}"
        case Walk(_, _, prefix):
            return f"from {prefix!r}"
        case Walked():
            return f"dirty {what.dirty} foreign {what.foreign} problems {len(what.problems)}"
        case Look(_, paths):
            return str(paths)
        case Looked(_, sightings):
            return str([of_sighting(sighting) for sighting in sightings])
        case StageSmall(_, _, files):
            return str([of_entry(file.entry) for file in files])
        case Apply(_, _, operations):
            return str([of_operation(operation) for operation in operations])
        case Applied(_, _, outcomes):
            return str([f"{o.operation.path} {o.ending.name} {o.why}" for o in outcomes])
        case _:
            return _shortened(what)


def of_entry(entry: Entry) -> str:
    kind = "gone" if entry.deleted else entry.kind.name.lower()
    writer = f"{entry.writer[8:].hex()[:4]}:{entry.counter}"
    saw = ",".join(f"{life[8:].hex()[:4]}:{count}" for life, count in entry.vector.pairs)
    content = bytes(entry.content).hex()[:6]
    return f"{entry.path} {kind} {content} stamp {entry.stamp} {writer} [{saw}]"


def of_sighting(sighting: Sighting) -> str:
    return f"{sighting.path} {sighting.sight.name}"


def of_operation(operation: Operation) -> str:
    copy = f" copy to {operation.copy_to}" if operation.copy_to else ""
    return f"{operation.verb.name} {of_entry(operation.entry)}{copy}"


def _who(device: bytes) -> str:
    return device.decode(errors="replace").rstrip("-")


def _shortened(what: Any) -> str:
    text = repr(what)
    return text if len(text) < 300 else text[:300] + "..."
