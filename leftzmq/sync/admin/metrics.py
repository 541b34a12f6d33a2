"""The answer to `metrics`: every figure that a monitoring system may watch, with its name.

Knows what is counted where, and what it is called. Must not know who reads it, nor in which form
(leftzmq/web/exposition). Nothing here walks the index: what is counted over rows is counted as the
rows change. The number of samples is bounded by folders, devices and kinds: no path is a label.
docs/metrics.md is the page to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from msgspec import UNSET, Struct

from leftzmq.config import UnusableFolder
from leftzmq.content.key_text import key_beginning
from leftzmq.sync.admin.peer_progress import Member, members
from leftzmq.sync.admin.status import Times
from leftzmq.sync.folder import Folder, FolderState
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.greeting import Peers
from leftzmq.sync.peers.peer_state import PeerPhase
from leftzmq.wire.answers.metrics import MetricSample, MetricShown, MetricsShown

_PREFIX: Final = "leftzmq_"


class MetricKind(Enum):
    """The value is the word of the answer."""

    COUNTER = "counter"  # only grows; begins at 0 with the agent
    GAUGE = "gauge"


class Named(Struct, frozen=True):
    """What a metric is called. unit: of its values, in words. labels: the names of its labels, in
    their order. help: what it counts, as a sentence."""

    name: str
    kind: MetricKind
    unit: str
    labels: tuple[str, ...]
    help: str


def _gauge(name: str, unit: str, labels: str, help: str) -> Named:
    return Named(_PREFIX + name, MetricKind.GAUGE, unit, tuple(labels.split()), help)


def _counter(name: str, unit: str, labels: str, help: str) -> Named:
    return Named(f"{_PREFIX}{name}_total", MetricKind.COUNTER, unit, tuple(labels.split()), help)


class Metric(Enum):
    """All of them, in the order of the answer."""

    FOLDER_STATE = _gauge(
        "folder_state",
        "1 or 0",
        "folder kind",
        "Whether the folder is in this state: a word of folders[].state of status.",
    )
    FILES = _gauge("files", "files", "folder", "Regular files that this device has.")
    FILE_BYTES = _gauge("file_bytes", "bytes", "folder", "The sizes of these files.")
    TICKETS = _gauge(
        "tickets", "paths", "folder", "Paths whose winning version this device does not have yet."
    )
    PENDING_BYTES = _gauge("pending_bytes", "bytes", "folder", "The sizes of these versions.")
    OLDEST_PENDING = _gauge(
        "oldest_pending_seconds",
        "seconds",
        "folder",
        "How long the oldest change that is to come here waits; 0: nothing is to come.",
    )
    CONFLICTS = _gauge("conflicts", "files", "folder", "Conflict copies that this device has.")
    PROBLEMS = _gauge(
        "problems", "problems", "folder kind", "Problems that are known of, by ProblemKind."
    )
    HELD_FILES = _gauge(
        "held_files",
        "files",
        "folder kind",
        "Files whose loss the guard holds back: lost here, or elsewhere.",
    )
    PEER_CONNECTED = _gauge(
        "peer_connected", "1 or 0", "peer", "Whether the device has greeted, and can be asked."
    )
    PEER_PENDING_PATHS = _gauge(
        "peer_pending_paths", "paths", "folder peer", "Paths of ours that the device lacks."
    )
    PEER_PENDING_BYTES = _gauge(
        "peer_pending_bytes", "bytes", "folder peer", "The sizes of these files."
    )
    PEER_OLDEST_PENDING = _gauge(
        "peer_oldest_pending_seconds",
        "seconds",
        "folder peer",
        "How long the oldest change of ours waits that the device lacks; 0: it lacks nothing.",
    )
    PEER_COMING_PATHS = _gauge(
        "peer_coming_paths",
        "paths",
        "folder peer",
        "Paths of which the device has a version that this one lacks.",
    )
    PEER_COMING_BYTES = _gauge(
        "peer_coming_bytes", "bytes", "folder peer", "The sizes of these versions."
    )
    SENT_BYTES = _counter(
        "sent_bytes", "bytes", "folder peer", "Chunks that were sent to the device, sealed."
    )
    RECEIVED_BYTES = _counter(
        "received_bytes", "bytes", "folder peer", "Chunks that came from the device, sealed."
    )
    HOME_BYTES = _counter(
        "home_bytes",
        "bytes",
        "folder",
        "What was to come and was copied from other files of the share: it passed no network.",
    )
    SCANS = _counter("scans", "scans", "folder", "Walks through the share, or a part of it.")
    SCAN_SECONDS = _counter(
        "scan_seconds", "seconds", "folder", "How long they took, with what they waited for."
    )
    SCANNED_PATHS = _counter(
        "scanned_paths", "paths", "folder", "Files, folders and links that they passed."
    )
    HASHED_FILES = _counter(
        "hashed_files", "files", "folder", "Files of the share that were read and hashed."
    )
    HASHED_BYTES = _counter("hashed_bytes", "bytes", "folder", "How much was read for that.")
    HASH_SECONDS = _counter(
        "hash_seconds",
        "seconds",
        "",
        "Seconds that threads spent on that: they look at what may have changed, read and hash it.",
    )
    WATCH_OVERFLOWS = _counter(
        "watch_overflows",
        "times",
        "folder",
        "How often events of the watcher were lost, and the folder walked instead.",
    )
    TRASH_FILES = _gauge(
        "trash_files",
        "files",
        "folder",
        "Versions in the trash, as the last sweep left it: at the start, and once a day.",
    )
    TRASH_BYTES = _gauge("trash_bytes", "bytes", "folder", "What they took up on the disk then.")
    NEWS_GAPS = _counter(
        "news_gaps",
        "times",
        "folder peer",
        "How often news of the device was lost, and its index was asked for instead.",
    )
    DROPPED_PEERS = _counter(
        "dropped_peers",
        "times",
        "peer",
        "How often the device broke a rule of the protocol, and was cut off for a while.",
    )
    REFUSED_STRANGERS = _counter(
        "refused_strangers",
        "times",
        "",
        "How often somebody was refused who is no peer, or is cut off.",
    )
    INDEX_BYTES = _gauge("index_bytes", "bytes", "folder", "The index on disk, without its log.")
    INDEX_LOG_BYTES = _gauge(
        "index_log_bytes", "bytes", "folder", "The write-ahead log of the index."
    )
    OPEN_DESCRIPTORS = _gauge(
        "open_descriptors", "descriptors", "", "File descriptors that the agent has open."
    )
    MAX_DESCRIPTORS = _gauge(
        "max_descriptors", "descriptors", "", "File descriptors that it may have open."
    )
    TURNS = _counter("turns", "turns", "", "Turns of the agent's loop.")
    LONGEST_TURN = _gauge(
        "longest_turn_seconds", "seconds", "", "The longest turn of the loop since the start."
    )
    START_TIME = _gauge(
        "start_time_seconds", "unix seconds", "", "When the agent was started: up since then."
    )
    BUILD_INFO = _gauge("build_info", "1", "version", "The version of the agent that runs.")


class AgentFigures(Struct, frozen=True):
    """What the machines do not know of their own agent.

    began: when it was started (unix seconds)
    turns, longest_turn_s: of its loop
    hash_s: seconds that its threads spent on looks, reading and hashing
    strangers_refused: how often
    open_descriptors: None: the system does not tell
    index_bytes: by folder, the lengths of its index and of that index's log
    """

    version: str
    began: float
    turns: int
    longest_turn_s: float
    hash_s: float
    strangers_refused: int
    open_descriptors: int | None
    max_descriptors: int
    index_bytes: Mapping[str, tuple[int, int]]


class _Samples:
    """The samples of one answer, by metric."""

    def __init__(self) -> None:
        self._of: dict[Metric, list[MetricSample]] = {metric: [] for metric in Metric}

    def add(self, metric: Metric, value: float, *labels: str) -> None:
        """labels: the values, in the order of the names."""
        named = dict(zip(metric.value.labels, labels, strict=True))
        self._of[metric].append(MetricSample(labels=named, value=value))

    def shown(self) -> MetricsShown:
        return MetricsShown(
            metrics=[
                MetricShown(
                    name=metric.value.name,
                    kind=metric.value.kind.value,
                    help=metric.value.help,
                    unit=metric.value.unit,
                    samples=found,
                )
                for metric, found in self._of.items()
            ]
        )


def metrics(
    peers: Peers,
    folders: Iterable[Folder],
    unusable: Iterable[UnusableFolder],
    agent: AgentFigures,
    times: Times,
) -> MetricsShown:
    """Return the whole answer. unusable: folders that could not even be made."""
    samples, names = _Samples(), _labels_of(peers)
    for folder in folders:
        _of_folder(samples, folder, times)
        for member in members(folder, peers.by_key.values()):
            _of_member(samples, folder, names[member.peer.key], member, times)
    for other in unusable:
        _of_state(samples, other.id, FolderState.STOPPED)
    for peer in peers.by_key.values():
        is_here = peer.state is PeerPhase.CONNECTED
        samples.add(Metric.PEER_CONNECTED, int(is_here), names[peer.key])
        samples.add(Metric.DROPPED_PEERS, peer.dropped, names[peer.key])
    _of_agent(samples, agent)
    return samples.shown()


def _labels_of(peers: Peers) -> Mapping[DeviceKey, str]:
    """Return what each device is called: its name, or where another one has that, its name and the
    beginning of its key. A device keeps its name until the next start also where a user gave it
    another one, and a new device may have the first name then."""
    labels: dict[DeviceKey, str] = {}
    taken: set[str] = set()
    for key, peer in peers.by_key.items():
        label = peer.name
        while label in taken:
            label = f"{label} {key_beginning(key)}"
        taken.add(label)
        labels[key] = label
    return labels


def _of_state(samples: _Samples, folder: str, state: FolderState) -> None:
    for each in FolderState:
        samples.add(Metric.FOLDER_STATE, int(each is state), folder, each.value)


def _of_folder(samples: _Samples, folder: Folder, times: Times) -> None:
    id, counters = folder.id, folder.index_view.counters
    _of_state(samples, id, folder.state)
    samples.add(Metric.FILES, counters.files, id)
    samples.add(Metric.FILE_BYTES, counters.bytes, id)
    samples.add(Metric.TICKETS, folder.index_view.tickets, id)
    pending = counters.need_bytes if folder.index_view.takes else 0
    samples.add(Metric.PENDING_BYTES, pending, id)
    oldest_since = folder.peer_lag.oldest_coming_since()
    samples.add(Metric.OLDEST_PENDING, times.age_of(oldest_since), id)
    samples.add(Metric.CONFLICTS, counters.conflicts, id)
    for kind, count in folder.problems.by_kind().items():
        samples.add(Metric.PROBLEMS, count, id, kind.name)
    held = folder.guard.held_back()
    for side, files in (("here", held.here), ("elsewhere", held.elsewhere)):
        samples.add(Metric.HELD_FILES, 0 if files is UNSET else files, id, side)
    samples.add(Metric.HOME_BYTES, folder.home_bytes, id)
    if folder.trash.size is not None:
        samples.add(Metric.TRASH_FILES, folder.trash.size.files, id)
        samples.add(Metric.TRASH_BYTES, folder.trash.size.bytes, id)
    counts = folder.scheduler.counts
    samples.add(Metric.SCANS, counts.walks, id)
    samples.add(Metric.SCAN_SECONDS, round(counts.walk_s, 3), id)
    samples.add(Metric.SCANNED_PATHS, counts.paths, id)
    samples.add(Metric.HASHED_FILES, counts.hashed_files, id)
    samples.add(Metric.HASHED_BYTES, counts.hashed_bytes, id)
    samples.add(Metric.WATCH_OVERFLOWS, counts.overflows, id)


def _of_member(samples: _Samples, of: Folder, peer: str, member: Member, times: Times) -> None:
    """Nothing is said of what is not known. What passed is said of devices that are, or were, in
    the folder."""
    id, device = of.id, member.peer.key
    sent, received = of.sent_to.get(device, 0), of.received_from.get(device, 0)
    if member.behind is not None or sent or received:
        samples.add(Metric.SENT_BYTES, sent, id, peer)
        samples.add(Metric.RECEIVED_BYTES, received, id, peer)
        samples.add(Metric.NEWS_GAPS, of.index_client.gaps.get(device, 0), id, peer)
    if member.behind is not None:
        samples.add(Metric.PEER_PENDING_PATHS, member.behind.paths, id, peer)
        samples.add(Metric.PEER_PENDING_BYTES, member.behind.bytes, id, peer)
        lacks = bool(member.behind.paths)
        since = of.peer_lag.oldest_since(device) if lacks else None
        samples.add(Metric.PEER_OLDEST_PENDING, times.age_of(since), id, peer)
    if member.ahead is not None:
        samples.add(Metric.PEER_COMING_PATHS, member.ahead.paths, id, peer)
        samples.add(Metric.PEER_COMING_BYTES, member.ahead.bytes, id, peer)


def _of_agent(samples: _Samples, agent: AgentFigures) -> None:
    for folder, (index, log) in agent.index_bytes.items():
        samples.add(Metric.INDEX_BYTES, index, folder)
        samples.add(Metric.INDEX_LOG_BYTES, log, folder)
    if agent.open_descriptors is not None:
        samples.add(Metric.OPEN_DESCRIPTORS, agent.open_descriptors)
    samples.add(Metric.MAX_DESCRIPTORS, agent.max_descriptors)
    samples.add(Metric.REFUSED_STRANGERS, agent.strangers_refused)
    samples.add(Metric.HASH_SECONDS, round(agent.hash_s, 3))
    samples.add(Metric.TURNS, agent.turns)
    samples.add(Metric.LONGEST_TURN, round(agent.longest_turn_s, 6))
    samples.add(Metric.START_TIME, agent.began)
    samples.add(Metric.BUILD_INFO, 1, agent.version)
