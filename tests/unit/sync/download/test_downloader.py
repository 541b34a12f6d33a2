"""When the downloader wants to be woken, and what counts as silence."""

from __future__ import annotations

import math
import random
from array import array
from pathlib import Path

import pytest
from msgspec.structs import replace

from leftzmq.bandwidth.throttle import Throttle
from leftzmq.bandwidth.timetable import parse_timetable
from leftzmq.content.ids import ChunkId
from leftzmq.content.lists import Rows, pack_row
from leftzmq.errors import Problem, ProblemKind, Refusal
from leftzmq.index.store import Store
from leftzmq.sync.actions import Drop, Send, Work
from leftzmq.sync.download.availability import Availability
from leftzmq.sync.download.downloader import STALE_REST_S, Downloader
from leftzmq.sync.download.flow_control import CREDIT_MIN_BYTES, FlowControl
from leftzmq.sync.download.large_files import LargeFiles
from leftzmq.sync.download.requests import RETRY_S, SILENT_ALONE_S, SILENT_S, Request, Requests
from leftzmq.sync.facts import (
    ChunksArrived,
    EpochBegan,
    FileHeldUp,
    FileLeft,
    FileNotWanted,
    FileWanted,
    PeerConnected,
    PeerLost,
)
from leftzmq.sync.jobs import (
    ChunksKept,
    Discard,
    ExpandLists,
    Home,
    HomeSearched,
    ListsExpanded,
    LookAtHome,
    SmallStaged,
    StageSmall,
    StagingOpened,
)
from leftzmq.sync.link import DeviceKey, Link, Way
from leftzmq.tree.entry import ContentId, Entry, Kind
from leftzmq.tree.plan import Staged
from leftzmq.tree.version import Life, Vector
from leftzmq.wire.messages import Chunks, Get, Part

MUTE, OTHER = DeviceKey(b"m" * 32), DeviceKey(b"o" * 32)
TAG = b"t" * 16
LIFE = Life(b"w" * 12)
ID = ContentId(b"c" * 32)
ENTRY = Entry("f", Kind.FILE, 5, 0, False, ID, 0, Vector.of([(LIFE, 1)]), LIFE, 1, False)


class View:
    """A folder in which nothing is at home, and these devices have everything."""

    tag = TAG
    device = DeviceKey(b"u" * 32)

    def __init__(self) -> None:
        self.store = self.leftings = self
        self.have = [MUTE]

    def holders(self, entry: Entry) -> list[DeviceKey]:
        return self.have

    def twins(self, content: bytes, limit: int) -> list[object]:
        return []

    def received(self, device: DeviceKey, count: int) -> None:
        pass

    def intend(self, *intents: object) -> None:
        pass

    def put(self, *found: object) -> None:
        pass

    def intent_over(self, *leftings: str) -> None:
        pass

    def is_taken(self, lefting: str) -> bool:
        return False


@pytest.fixture
def view() -> View:
    return View()


@pytest.fixture
def downloader(view: View) -> Downloader:
    """It has asked MUTE for a file at 100.0."""
    made = Downloader({"share": view}, link_to, links_to, Throttle())  # type: ignore[dict-item]
    made.on_peer_connected(PeerConnected(MUTE, 32 << 20), 100.0)
    made.on_file_wanted(FileWanted("share", ENTRY, None), 100.0)
    assert asked(made.go_on(100.0)) == [MUTE]
    return made


def link_to(device: DeviceKey) -> Link:
    return Link(device, Way.DIALED)


def links_to(device: DeviceKey) -> tuple[Link, ...]:
    return (link_to(device),)


def asked(actions: list[object]) -> list[DeviceKey]:
    sends = [action for action in actions if isinstance(action, Send)]
    return [send.link.device for send in sends if isinstance(send.message, Get)]


def test_a_silent_device_alone_is_waited_for_with_a_tick_a_second(downloader: Downloader) -> None:
    now, ticks = 100.0, 0
    while now < 100.0 + SILENT_ALONE_S - 1:
        due = downloader.deadline(now)
        assert due is not None and due > now, "never at once again"
        now, ticks = due, ticks + 1
        assert asked(downloader.on_time_passed(now)) == []
    assert ticks <= (SILENT_ALONE_S - SILENT_S) / RETRY_S + 1


def test_it_is_asked_elsewhere_as_soon_as_it_was_silent_long_enough(
    downloader: Downloader, view: View
) -> None:
    view.have = [MUTE, OTHER]
    downloader.on_peer_connected(PeerConnected(OTHER, 32 << 20), 100.5)
    due = downloader.deadline(101.0)
    assert due == 100.0 + SILENT_S
    assert asked(downloader.on_time_passed(due)) == [OTHER]


def test_an_answer_without_anything_in_it_is_silence(downloader: Downloader, view: View) -> None:
    view.have = [MUTE, OTHER]
    downloader.on_peer_connected(PeerConnected(OTHER, 32 << 20), 100.5)
    empty = Chunks(1, TAG, [], [])
    downloader.on_chunks_arrived(ChunksArrived(Link(MUTE, Way.DIALED), empty, b""), 101.9)
    assert asked(downloader.on_time_passed(100.0 + SILENT_S)) == [OTHER]


OTHER_TAG = b"T" * 16


def answers(downloader: Downloader, answer: Chunks, now: float, body: bytes = b"") -> list[object]:
    return downloader.on_chunks_arrived(ChunksArrived(Link(MUTE, Way.DIALED), answer, body), now)  # type: ignore[return-value]


def test_who_seals_nothing_under_our_tag_is_asked_again_after_a_second(
    downloader: Downloader,
) -> None:
    assert asked(answers(downloader, Chunks(1, OTHER_TAG, [], [bytes(ID)]), 100.1)) == []
    assert asked(downloader.on_time_passed(100.1 + STALE_REST_S - 0.1)) == []
    assert asked(downloader.on_time_passed(100.1 + STALE_REST_S)) == [MUTE]


def test_it_is_asked_at_once_when_another_epoch_is_known(
    downloader: Downloader, view: View
) -> None:
    assert asked(answers(downloader, Chunks(1, OTHER_TAG, [], [bytes(ID)]), 100.1)) == []
    view.tag = OTHER_TAG
    (get,) = (
        each.message
        for each in downloader.on_epoch_began(EpochBegan("share"), 100.2)
        if isinstance(each, Send)
    )
    assert isinstance(get, Get) and get.tag == OTHER_TAG


def test_it_is_asked_at_once_when_another_epoch_was_known_before_the_answer(
    downloader: Downloader, view: View
) -> None:
    view.tag = OTHER_TAG
    assert asked(answers(downloader, Chunks(1, OTHER_TAG, [], [bytes(ID)]), 100.1)) == [MUTE]


def test_an_answer_under_the_tag_of_its_get_is_taken_although_another_epoch_is_in_use(
    downloader: Downloader, view: View
) -> None:
    view.tag = OTHER_TAG
    out = answers(downloader, Chunks(1, TAG, [Part(bytes(ID), 5)], []), 100.1, bytes(21))
    (job,) = (each.job for each in out if isinstance(each, Work))
    assert isinstance(job, StageSmall) and job.tag == TAG


@pytest.mark.parametrize(
    ("parts", "missing"), [([Part(bytes(ID), 5)], []), ([], [b"x" * 32]), ([], [bytes(ID)] * 0)]
)
def test_parts_under_another_tag_or_ids_that_were_not_asked_for_end_the_link(
    downloader: Downloader, parts: list[Part], missing: list[bytes]
) -> None:
    out = answers(downloader, Chunks(1, OTHER_TAG, parts, missing), 100.1, bytes(21 * len(parts)))
    dropped = [each.refusal for each in out if isinstance(each, Drop)]
    assert dropped == ([Refusal.UNASKED] if parts or missing else [])


def test_what_waits_behind_other_answers_of_the_same_device_is_not_asked_elsewhere(
    downloader: Downloader, view: View
) -> None:
    """On a slow line that many ask, a get waits longer than silence lasts."""
    view.have = [MUTE, OTHER]
    second = ContentId(b"d" * 32)
    more = Entry("g", Kind.FILE, 5, 0, False, second, 0, ENTRY.vector, LIFE, 1, False)
    downloader.on_file_wanted(FileWanted("share", more, None), 100.1)
    assert asked(downloader.go_on(100.1)) == [MUTE]
    downloader.on_peer_connected(PeerConnected(OTHER, 32 << 20), 100.5)
    answer = Chunks(2, TAG, [], [bytes(second)])
    heard = downloader.on_chunks_arrived(ChunksArrived(Link(MUTE, Way.DIALED), answer, b""), 101.9)
    assert asked(heard) == [OTHER], "what it does not have"
    assert asked(downloader.on_time_passed(100.0 + SILENT_S)) == []
    answer_of_other = Chunks(3, TAG, [], [bytes(second)])
    downloader.on_chunks_arrived(
        ChunksArrived(Link(OTHER, Way.DIALED), answer_of_other, b""), 103.0
    )
    assert OTHER not in asked(downloader.on_time_passed(101.9 + SILENT_S)), (
        "its answers take that long"
    )
    assert OTHER in asked(downloader.on_time_passed(101.9 + 2 * 1.8 + 0.1)), "now it was silent"


def test_who_answers_late_is_not_silent_and_is_waited_for_longer(
    downloader: Downloader, view: View
) -> None:
    view.have = [MUTE, OTHER]
    downloader.on_peer_connected(PeerConnected(OTHER, 32 << 20), 100.5)
    assert asked(downloader.on_time_passed(100.0 + SILENT_S)) == [OTHER]
    late = Chunks(1, TAG, [], [bytes(ID)])
    downloader.on_chunks_arrived(ChunksArrived(Link(MUTE, Way.DIALED), late, b""), 102.5)
    second = ContentId(b"d" * 32)
    more = Entry("g", Kind.FILE, 5, 0, False, second, 0, ENTRY.vector, LIFE, 1, False)
    downloader.on_file_wanted(FileWanted("share", more, None), 102.6)
    assert asked(downloader.go_on(102.6)) == [MUTE], "it does not rest"
    answer = Chunks(2, TAG, [], [bytes(ID)])
    downloader.on_chunks_arrived(ChunksArrived(Link(OTHER, Way.DIALED), answer, b""), 103.0)
    assert OTHER not in asked(downloader.on_time_passed(102.6 + SILENT_S + 0.1))


def test_what_was_missing_is_asked_for_again_after_a_second(downloader: Downloader) -> None:
    missing = Chunks(1, TAG, [], [bytes(ID)])
    downloader.on_time_passed(100.9)
    answered = downloader.on_chunks_arrived(
        ChunksArrived(Link(MUTE, Way.DIALED), missing, b""), 101.0
    )
    assert asked(answered) == []
    now = 101.0
    for _ in range(3):
        due = downloader.deadline(now)
        assert due is not None and due > now
        now = due
        if asked(downloader.on_time_passed(now)):
            break
    assert 101.0 + RETRY_S <= now <= 101.0 + 2 * RETRY_S


def test_what_was_asked_over_a_connection_that_broke_is_asked_again_at_once(
    downloader: Downloader,
) -> None:
    """Its control connection may have lived on: nobody says that the device was lost."""
    assert asked(downloader.on_requests_lost(MUTE, 101.0)) == [MUTE]
    late = Chunks(1, TAG, [], [bytes(ID)])
    assert (
        downloader.on_chunks_arrived(ChunksArrived(Link(MUTE, Way.DIALED), late, b""), 101.1) == []
    )


def test_what_was_asked_over_an_older_connection_is_asked_again(downloader: Downloader) -> None:
    out = downloader.on_peer_connected(PeerConnected(MUTE, 32 << 20), 101.0)
    until = 101.0 + SILENT_S + RETRY_S
    while not asked(out):
        due = downloader.deadline(101.0)
        assert due is not None and due <= until, "not only after half a minute of silence"
        out = downloader.on_time_passed(due)


def begun(tmp_path: Path) -> tuple[LargeFiles, Entry, Staged]:
    """A large file whose lists are here, and its `.lefting`, which is being made."""
    view = View()
    view.store = Store(tmp_path / "index")  # type: ignore[assignment]
    folders = {"share": view}
    large = LargeFiles(folders, Availability(folders, links_to), lambda: 1)  # type: ignore[arg-type]
    entry = replace(ENTRY, size=400_000, depth=1)
    large.want("share", entry, None)
    large.start()
    rows = Rows(pack_row(ChunkId(bytes(32)), 400_000))
    large.on_lists_expanded(ListsExpanded("share", entry, rows, {}, 1), 0.0)
    return large, entry, Staged("f.lefting", 7)


def test_what_was_held_up_and_is_not_wanted_while_it_begins_again_is_left(tmp_path: Path) -> None:
    """Its `.lefting` would stay until the next start, and nobody would know of it."""
    large, entry, staged = begun(tmp_path)
    full = Problem("share", "f", ProblemKind.DISK_FULL)
    large.on_staging_opened(StagingOpened("share", entry, staged, False, full), 0.0)
    large.want("share", entry, None)
    large.start()
    assert large.not_wanted("share", "f") == [FileLeft("share", entry, staged)]


def test_where_only_the_name_of_one_is_known_a_file_begins_again_when_that_is_gone(
    tmp_path: Path,
) -> None:
    large, entry, _ = begun(tmp_path)
    unread, failed = (
        Staged("f.lefting", None, unread=True),
        Problem("share", "f", ProblemKind.UNWRITABLE),
    )
    opened = StagingOpened("share", entry, unread, True, failed)
    assert large.on_staging_opened(opened, 0.0) == [
        Work(Discard("share", (unread,))),
        FileHeldUp("share", entry, failed),
    ]
    large.want("share", entry, None)
    assert large.start() == [] and large.waits
    large._folders["share"].store.leftings.drop(unread)
    assert large.start() == [Work(ExpandLists("share", entry))]


def test_what_was_forgotten_while_a_job_brings_chunks_from_home_begins_again_after_it(
    tmp_path: Path,
) -> None:
    """The job may take over blocks that it then has to throw out: not what was fetched since."""
    large, entry, staged = begun(tmp_path)
    large.on_staging_opened(StagingOpened("share", entry, staged, False), 0.0)
    home = Home("home", array("q", [0]), array("q", [0]))
    (work,) = large.on_home_searched(HomeSearched("share", entry, (home,)), 0.0)
    assert isinstance(work, Work) and isinstance(work.job, LookAtHome)
    large.not_wanted("share", "f")
    large.want("share", entry, None, staged)
    assert large.start() == []
    large.on_chunks_kept(ChunksKept("share", entry, staged, (), 1), 0.0)
    assert [each.job for each in large.start() if isinstance(each, Work)] == [
        ExpandLists("share", entry)
    ]


def test_what_was_kept_of_a_file_that_is_not_wanted_before_it_begins_is_left(
    downloader: Downloader,
) -> None:
    """Its holders went and came, and another version is wanted at once."""
    entry, kept = replace(ENTRY, path="g", size=400_000, depth=1), Staged("g.lefting", 7)
    downloader.on_file_wanted(FileWanted("share", entry, None, kept=kept), 101.0)
    left = downloader.on_file_not_wanted(FileNotWanted("share", "g"), 101.0)
    assert left == [FileLeft("share", entry, kept)]


@pytest.mark.parametrize("content", [b"n" * 32, ID])
def test_what_holds_an_earlier_version_up_leaves_the_present_one_wanted(
    downloader: Downloader, content: bytes
) -> None:
    newer = replace(ENTRY, content=ContentId(content), stamp=2)
    downloader.on_file_wanted(FileWanted("share", newer, None), 100.1)
    downloader.go_on(100.1)
    problem = Problem("share", "f", ProblemKind.WAITING_FOR_FOLDER)
    failed = SmallStaged("share", MUTE, (), (), (), ((ENTRY, problem),), 5)
    assert not any(isinstance(it, FileHeldUp) for it in downloader.on_small_staged(failed, 100.2))
    assert downloader.small.wanted("share", "f") == newer
    failed = replace(failed, problems=((newer, problem),))
    (held_up,) = downloader.on_small_staged(failed, 100.3)
    assert held_up == FileHeldUp("share", newer, problem)
    assert downloader.small.wanted("share", "f") is None


def test_silence_is_looked_for_in_time_whatever_was_asked_and_answered() -> None:
    """When to look is not worked out anew for every fact, and yet never after the first get has
    been silent too long."""
    chance = random.Random(1)
    requests = Requests(link_to, Throttle())
    now, waiting = 100.0, {}
    for device in (MUTE, OTHER):
        requests.connected(device, 32 << 20)
    looks = 0
    for number in range(1, 3000):
        now += chance.expovariate(20.0)
        if waiting and chance.random() < 0.5:
            key = chance.choice(list(waiting))
            pending = waiting.pop(key)
            requests.answered(key, pending, list(pending.left), [], now)
        else:
            pending = Request(chance.choice([MUTE, OTHER]), "share", {b"%d" % number: 1000})
            assert requests.send(pending, Get(0, bytes(16), [], []), now) is not None
            waiting[requests._number] = pending
        if now >= requests.silent_at():
            looks += 1
            given_up = requests.silent(now, lambda _: True)
            waiting = {key: one for key, one in waiting.items() if one not in given_up}
        first = min((requests._silent_at(one) for one in waiting.values()), default=math.inf)
        assert now < requests.silent_at() <= first
    assert 10 < looks < 300, "nor in every turn"


def test_what_an_answer_leaves_of_the_credit_is_saved_up_for_a_whole_get() -> None:
    flow = FlowControl(most=2 * CREDIT_MIN_BYTES)
    assert flow.bears_more
    flow.asked(CREDIT_MIN_BYTES - flow.ask_bytes + 1)
    assert flow.room == flow.ask_bytes - 1 and not flow.bears_more
    flow.returned(1)
    assert flow.bears_more


def test_a_device_that_bears_less_than_a_get_is_asked_when_nothing_is_under_way() -> None:
    flow = FlowControl(most=1000)
    assert flow.bears_more
    flow.asked(1)
    assert not flow.bears_more
    flow.returned(1)
    flow.held = 1
    assert not flow.bears_more, "what is not written yet makes room when it is"
    flow.held = 1000
    assert not flow.bears_more
    flow.held = 0
    assert flow.bears_more


@pytest.mark.parametrize("how", ["missing", "lost", "given up", "stopped", "silent"])
def test_what_will_not_come_is_given_back_to_the_limit(view: View, how: str) -> None:
    throttle = Throttle()
    throttle.set_timetables(parse_timetable("10 kB/s", ""), {})
    throttle.look(0, 100.0)
    made = Downloader({"share": view}, link_to, links_to, throttle)  # type: ignore[dict-item]
    made.on_peer_connected(PeerConnected(MUTE, 32 << 20), 100.0)
    entry = replace(ENTRY, size=200_000)
    made.on_file_wanted(FileWanted("share", entry, None), 100.0)
    assert asked(made.go_on(100.0)) == [MUTE]
    assert throttle.ready_at(MUTE, True, 100.0) == pytest.approx(120.0)
    match how:
        case "missing":
            missing = Chunks(1, TAG, [], [bytes(entry.content)] * 2)
            made.on_chunks_arrived(ChunksArrived(Link(MUTE, Way.DIALED), missing, b""), 100.1)
        case "lost":
            view.have = []
            made.on_peer_lost(PeerLost(MUTE), 100.1)
        case "given up":
            view.have = []
            made.on_requests_lost(MUTE, 100.1)
        case "stopped":
            made.on_folder_stopped("share")
        case "silent":
            view.have = []
            made.on_time_passed(100.1 + SILENT_ALONE_S)
    assert throttle.lets(MUTE, True, 100.2)
    assert throttle.ready_at(MUTE, False, 100.2) == 100.2


def test_what_comes_late_counts_once_and_what_nobody_asked_for_never(view: View) -> None:
    throttle = Throttle()
    throttle.set_timetables(parse_timetable("10 kB/s", ""), {})
    throttle.look(0, 100.0)
    made = Downloader({"share": view}, link_to, links_to, throttle)  # type: ignore[dict-item]
    made.on_peer_connected(PeerConnected(MUTE, 32 << 20), 100.0)
    made.on_file_wanted(FileWanted("share", replace(ENTRY, size=200_000), None), 100.0)
    made.go_on(100.0)
    view.have = []
    made.on_time_passed(1000.0)
    late = Chunks(1, TAG, [Part(bytes(ENTRY.content), 200_000)], [])
    for _ in range(3):
        made.on_chunks_arrived(ChunksArrived(Link(MUTE, Way.DIALED), late, b""), 1000.0)
    assert throttle.ready_at(MUTE, False, 1000.0) == pytest.approx(1020.0, abs=0.3)
