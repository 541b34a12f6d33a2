"""What follows when peer.toml, what was learnt or who is a member changes while the agent runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from leftzmq.bandwidth.timetable import NO_LIMITS, BandwidthLimits, parse_timetable
from leftzmq.config import MAX_PEERS, Endpoint, FolderConfig, load
from leftzmq.content.key_text import key_beginning, key_text
from leftzmq.errors import ConfigError, KeyFileError, LeftError, PlatformError, RosterError
from leftzmq.pairing.learnt import Learnt, LearntDevice, LearntFolder, Origin
from leftzmq.runtime.event_log import EventLog, Teller
from leftzmq.runtime.listing.config_follower import ConfigFollower
from leftzmq.runtime.listing.config_in_use import ConfigInUse
from leftzmq.sync.facts import Fact, LimitsSet, LinkClosed, PeerListed, PeerUnlisted
from leftzmq.sync.link import DeviceKey
from leftzmq.sync.peers.roster.rosters import FolderMember
from leftzmq.wire.local import Event, EventKind
from leftzmq.wire.replies import Reloaded

US, B, C = b"a" * 32, DeviceKey(b"b" * 32), DeviceKey(b"c" * 32)
HEAD = """
[device]
name = "alpha"
state = "state"
listen = "tcp://127.0.0.1:7700"
"""
SHARE = '[[folder]]\nid = "share"\npath = "share"\nsecret = "share.secret"\n'


def peer(name: str, key: bytes, address: str = "") -> str:
    at = f'address = "tcp://{address}:7700"\n' if address else ""
    return f'[[peer]]\nname = "{name}"\nkey = "{key_text(key)}"\n{at}'


class Around:
    """The agent around the follower. did: what it was told to do, in order."""

    def __init__(self, base: Path, text: str, learnt: Learnt | None = None) -> None:
        self.base, self.learnt = base, learnt or Learnt()
        self.did: list[object] = []
        self.events: list[Event] = []
        self.is_in: list[FolderMember] = []
        self.members_of: dict[str, list[FolderMember]] = {}  # by the rosters of folders that come
        self.near: dict[bytes, tuple[Endpoint, ...]] = {}
        self.most = 62
        self.no_secrets: set[str] = set()  # ids of folders whose secrets are missing
        self.unopened: set[str] = set()  # ids of folders that cannot be opened
        self.write(text)
        self.in_use = ConfigInUse(
            load(base / "peer.toml"),
            US,
            lambda id: base / f"{id}.secret",
            lambda: self,
            lambda key: self.near.get(key, ()),
            self._check_secret,
            self._require,
        )
        self.in_use.begin(self.learnt)
        teller = Teller(EventLog(0.0), self, self, lambda: 1.0, lambda: 2.0)
        self.follower = ConfigFollower(
            self.in_use,
            lambda: self.learnt,
            self,
            self,
            lambda device: self.did.append(("cut off", device)),
            self._handle,
            lambda: self.did.append("announce"),
            teller,
        )

    def write(self, *texts: str) -> None:
        (self.base / "peer.toml").write_text("".join((HEAD, *texts)))

    def reads(self, *texts: str) -> None:
        self.write(*texts)
        self.follower.read_again()

    def learns(self, learnt: Learnt) -> None:
        self.learnt = learnt
        self.follower.use_learnt(learnt)

    def takes(self) -> list[object]:
        """Return what was done since the last time."""
        did, self.did = self.did, []
        return did

    def told(self) -> list[dict[str, Any]]:
        events, self.events = self.events, []
        return [dict(event.fields) for event in events]

    def said(self) -> list[str]:
        """Return the sentences alone."""
        return [fields["text"] for fields in self.told() if "text" in fields]

    def listed(self) -> set[bytes]:
        return set(self.in_use.listed)

    def _require(self, addresses: Iterable[int]) -> None:
        if len(list(addresses)) > self.most:
            raise PlatformError("has too few descriptors")

    def _check_secret(self, folder: FolderConfig) -> None:
        if folder.id in self.no_secrets:
            raise KeyFileError("there is no such file", str(folder.secret))

    def _handle(self, fact: Fact) -> None:
        self.did.append(fact)

    # -- the bus, the folders, the rosters and the log

    has_listeners = False

    def dial(self, device: DeviceKey, *endpoints: Endpoint) -> None:
        self.did.append(("dial", device, *(one.host for one in endpoints)))

    def undial(self, device: DeviceKey) -> None:
        self.did.append(("undial", device))

    def add(self, config: Any) -> None:
        assert any(one.id == config.id for one in self.in_use.config.folders)
        if config.id in self.unopened:
            raise RosterError("no room")
        self.did.append(("add", config.id))
        self.is_in += self.members_of.get(config.id, [])

    def tune(self, config: Any) -> None:
        self.did.append(("tune", config.id, config.limits.trash_days))

    def remove(self, id: str) -> None:
        self.did.append(("remove", id))

    def members(self) -> list[FolderMember]:
        return self.is_in

    def shut_out(self) -> frozenset[DeviceKey]:
        return frozenset()

    def __call__(self, event: Event, now: float) -> None:
        self.events.append(event)

    def deadline(self) -> float | None:
        return None

    def tick(self, now: float) -> None: ...

    def tell(self, frames: Iterable[bytes]) -> None: ...


def listed(name: str, key: DeviceKey, *, dials: bool) -> PeerListed:
    return PeerListed(key, name, dials, key_text(key))


def test_at_a_start_all_are_listed_and_dialed(tmp_path: Path) -> None:
    learnt = Learnt((LearntDevice("gamma", C, (Endpoint("1.2.3.4", 7700),), Origin.JOINED, 0.0),))
    around = Around(tmp_path, SHARE + peer("beta", B), learnt)
    around.follower.begin()
    assert around.takes() == [("dial", C, "1.2.3.4")] and around.listed() == {B, C}
    assert around.in_use.label(B) == "beta" and around.in_use.label(C) == "gamma"
    assert around.in_use.is_written(B) and not around.in_use.is_written(C)


def test_limits_hold_from_the_start_and_from_the_moment_when_they_are_read(tmp_path: Path) -> None:
    limits = '[limits]\nup = "2 MB/s"\n'
    up = BandwidthLimits(up=parse_timetable("2 MB/s", ""))
    around = Around(tmp_path, limits + SHARE + peer("beta", B))
    around.follower.begin()
    assert around.takes() == [LimitsSet(up, {})]
    around.reads(limits, SHARE, peer("beta", B), 'up = "2 MB/s"\n')
    assert around.takes() == [LimitsSet(up, {B: up})], "nobody is dialed anew"
    assert around.said() == ["the limits of peer.toml are others now, and hold"]
    around.reads(SHARE, peer("beta", B))
    assert around.takes() == [LimitsSet(NO_LIMITS, {})]


def test_who_is_added_is_listed_before_it_is_dialed(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.reads(SHARE, peer("beta", B, "1.2.3.4"))
    assert around.takes() == [listed("beta", B, dials=True), ("dial", B, "1.2.3.4")]
    assert around.told() == [{"added": "beta", "removed": "", "moved": ""}]
    assert around.listed() == {B}


def test_who_is_removed_may_not_connect_when_its_connections_end(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE + peer("beta", B))
    end = around.did.append
    around.follower._cut_off = lambda device: end((device, around.listed()))
    around.reads(SHARE)
    assert around.takes() == [(B, set()), PeerUnlisted(B)]
    assert around.told() == [{"added": "", "removed": "beta", "moved": ""}]


def test_who_moved_is_cut_from_its_old_place_and_dialed_at_the_new_one(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE + peer("beta", B, "1.2.3.4"))
    around.reads(SHARE, peer("beta", B, "5.6.7.8"))
    undialed, closed, again, dialed = around.takes()
    assert undialed == ("undial", B) and isinstance(closed, LinkClosed)
    assert again == listed("beta", B, dials=True) and dialed == ("dial", B, "5.6.7.8")


def test_who_is_heard_of_elsewhere_keeps_its_place_and_its_connection(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE + peer("beta", B, "1.2.3.4"))
    around.follower.begin()
    around.near[B] = (Endpoint("5.6.7.8", 7700),)
    around.follower.look_again()
    assert around.takes() == [("dial", B, "1.2.3.4"), ("dial", B, "1.2.3.4", "5.6.7.8")]
    assert around.told() == [], "nobody moved"


def test_a_member_that_the_rosters_name_is_listed(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.is_in = [FolderMember(C, "", ("tcp://1.2.3.4:7700",), ("share",))]
    around.follower.look_again()
    named, dialed = around.takes()
    assert named == listed(key_beginning(C), C, dials=True) and dialed == ("dial", C, "1.2.3.4")


def test_a_file_that_changes_nothing_is_told_to_whoever_sent_the_signal(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.reads(SHARE)
    assert around.told() == [{"added": "", "removed": "", "moved": ""}]
    around.follower.look_again()
    assert around.told() == [] and around.takes() == []


@pytest.mark.parametrize("text", ["[[peer", peer("me", US), ""])
def test_a_file_that_is_wrong_changes_nothing(tmp_path: Path, text: str) -> None:
    around = Around(tmp_path, SHARE + peer("beta", B))
    around.reads(*([SHARE, text] if text else []))
    (said,) = around.said()
    assert said.startswith("the peers and folders stay as they are: ")
    assert around.takes() == [] and around.listed() == {B} and around.in_use.written.folders


def test_more_than_this_machine_can_take_changes_nothing(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE + peer("beta", B))
    around.most = 1
    learnt = Learnt((LearntDevice("gamma", C, (), Origin.INVITED, 0.0),))
    with pytest.raises(PlatformError):
        around.follower.check_learnt(learnt)
    with pytest.raises(LeftError):
        around.learns(learnt)
    assert around.takes() == [] and around.listed() == {B}
    around.follower.look_again()
    (said,) = around.said()
    assert said.startswith("the members of the folders are not all listed: ")


def test_a_peer_without_a_key_is_named_and_neither_listed_nor_dialed(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE + '[[peer]]\nname = "beta"\n')
    names = around.in_use.keyless
    assert list(names) == ["beta"] and around.listed() == set()
    around.reads(SHARE, '[[peer]]\nname = "gamma"\n')
    assert list(names) == ["gamma"] and around.takes() == [], "whoever holds the list sees that"


def members(numbers: Iterable[int]) -> list[FolderMember]:
    return [FolderMember(DeviceKey(bytes([n]) * 32), f"m{n}", (), ("share",)) for n in numbers]


def test_who_is_one_too_many_is_named_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE + peer("beta", B))
    around.is_in = members(range(1, MAX_PEERS + 2))
    around.follower.look_again()
    (said,) = around.said()
    assert said == (
        "this device has 62 peers, and can have no more: m62, m63 may not connect; "
        "leftzmq peers remove makes room"
    )
    assert len(around.listed()) == MAX_PEERS and B in around.listed()
    around.follower.look_again()
    around.near[B] = (Endpoint("5.6.7.8", 7700),)
    around.follower.look_again()
    assert around.said() == []
    around.is_in = members(range(2, MAX_PEERS + 2))
    around.follower.look_again()
    assert "m63 may not connect" in around.said()[0] and bytes([62]) * 32 in around.listed()
    around.is_in = members(range(3, MAX_PEERS + 2))
    around.follower.look_again()
    assert around.said() == []
    around.is_in = members(range(1, MAX_PEERS + 2))
    around.follower.look_again()
    assert len(around.said()) == 1, "they were in, and are out again"


def test_who_is_one_too_many_at_a_start_is_named(tmp_path: Path) -> None:
    many = members(range(1, MAX_PEERS + 2))
    learnt = Learnt(tuple(LearntDevice(m.name, m.device, (), Origin.INVITED, 0.0) for m in many))
    around = Around(tmp_path, SHARE, learnt)
    around.follower.begin()
    assert "m63 may not connect" in around.said()[0]
    around.follower.look_again()
    assert around.said() == []


# -- folders --------------------------------------------------------------------------------------


def learnt_folder(base: Path, id: str = "more") -> Learnt:
    (base / id).mkdir(exist_ok=True)
    return Learnt((), (LearntFolder(id, base / id, Origin.SHARED, 0.0),))


def test_a_folder_that_was_learnt_comes_and_goes(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.learns(learnt_folder(tmp_path))
    around.learns(Learnt())
    assert around.takes() == [("add", "more"), ("remove", "more")] and around.told() == []


OTHER = SHARE.replace('"share"', '"other"', 1)


def test_a_folder_that_a_person_took_out_goes_before_another_one_comes(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.reads(OTHER)
    assert around.takes() == [("remove", "share"), ("add", "other")] and around.said() == []
    assert [one.id for one in around.in_use.config.folders] == ["other"]


def test_a_folder_in_another_place_or_of_another_secret_goes_and_comes(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.reads(SHARE.replace('path = "share"', 'path = "place"'))
    around.reads(SHARE.replace("share.secret", "new.secret"))
    assert around.takes() == 2 * [("remove", "share"), ("add", "share")]


def test_what_is_read_when_it_is_used_is_used(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.reads(SHARE, "trash_days = 7\n", "[discovery]\nlocal = false\n")
    assert around.takes() == [("tune", "share", 7.0), "announce"]
    assert not around.in_use.config.discovery.local


def test_the_members_of_a_folder_that_is_put_back_are_listed(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.members_of["other"] = [FolderMember(C, "", ("tcp://1.2.3.4:7700",), ("other",))]
    around.reads(SHARE, OTHER.replace('"share"', '"third"').replace("share.s", "third.s"))
    added, *_ = around.takes()
    assert added == ("add", "other") and around.listed() == {C}


def test_a_user_who_asks_is_told_what_changed(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE + OTHER.replace("share", "third") + peer("beta", B, "1.2.3.4"))
    more = SHARE.replace("share", "more")
    moved = SHARE.replace('path = "share"', 'path = "place"')
    peers = peer("gamma", C) + peer("beta", B, "1.2.3.5")
    around.write(moved, "patience_s = 5\n", more, peers)
    told = around.follower.reload()
    assert told == Reloaded(
        file=str(tmp_path / "peer.toml"),
        peers_added=["gamma"],
        peers_removed=[],
        peers_moved=["beta"],
        folders_added=["more"],
        folders_removed=["other"],
        folders_changed=["share"],
        used=[],
        need_a_start=[],
        unusable=[],
    )
    assert around.follower.reload().peers_added == [], "it is so already"


def test_all_folders_are_taken_off_by_a_user_who_asks_alone(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.reads()
    assert around.takes() == [] and "`leftzmq reload` takes all of them off" in around.said()[0]
    assert around.follower.reload().folders_removed == ["share"]
    assert around.takes() == [("remove", "share")]


def test_a_user_who_asks_of_a_wrong_file_is_told_why(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.write(SHARE, "[[peer\n")
    with pytest.raises(ConfigError, match=r"at line \d+"):
        around.follower.reload()
    assert around.takes() == []


def test_what_this_device_is_stays_until_the_next_start(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    (tmp_path / "peer.toml").write_text(HEAD.replace("alpha", "omega") + SHARE)
    for _ in range(2):
        assert around.follower.reload().need_a_start == ["[device] name"]
        (said,) = around.said()
        assert said == "[device] name changed in peer.toml: start the agent again to use that"
    around.near[B] = (Endpoint("5.6.7.8", 7700),)
    around.follower.look_again()
    assert around.said() == [], "it is said when the file is read"
    assert around.in_use.config.device.name == "alpha"
    assert around.in_use.written.device.name == "omega"


def test_a_share_that_was_learnt_may_not_lie_in_another_one(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    (tmp_path / "share").mkdir()
    with pytest.raises(ConfigError):
        around.follower.check_learnt(learnt_folder(tmp_path, "share/inside"))
    assert EventKind.PEER_LIST not in [event.kind for event in around.events]


# -- folders that cannot be used ------------------------------------------------------------------


def ids(around: Around) -> tuple[list[str], list[str]]:
    """Return the folders that are in use, and those that cannot be."""
    config = around.in_use.config
    assert list(around.in_use.unusable) == list(config.unusable)
    return [one.id for one in config.folders], [one.id for one in config.unusable]


def test_a_folder_with_a_mistake_is_named_and_all_else_is_used(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.reads(SHARE, OTHER.replace('"share"', '"third"'), "trash_day = 3\n", peer("beta", B))
    assert around.takes() == [listed("beta", B, dials=False)]
    (said,) = around.said()
    assert "peer.toml: [[folder]] no. 2 trash_day: is not known (did you mean" in said
    assert ids(around) == (["share"], ["other"])
    told = around.follower.reload()
    assert [(one.folder, one.why) for one in told.unusable] == [("other", said)]
    assert around.said() == [], "it is known already"
    around.reads(SHARE, OTHER.replace('"share"', '"third"').replace("share.s", "third.s"))
    assert ("add", "other") in around.takes() and ids(around) == (["share", "other"], [])


def test_a_folder_that_runs_and_has_a_mistake_now_is_stopped_and_comes_back(
    tmp_path: Path,
) -> None:
    around = Around(tmp_path, SHARE)
    around.write(SHARE, "patience_s = 0\n")
    told = around.follower.reload()
    assert told.folders_removed == [] and told.unusable[0].folder == "share"
    assert around.takes() == [("remove", "share")] and ids(around) == ([], ["share"])
    around.reads(SHARE)
    assert around.takes() == [("add", "share")] and ids(around) == (["share"], [])


def test_a_secret_that_is_missing_stops_the_folder_that_is_about_to_come_alone(
    tmp_path: Path,
) -> None:
    around = Around(tmp_path, SHARE)
    around.no_secrets = {"share", "more"}
    more = SHARE.replace("share", "more")
    around.reads(SHARE, more)
    assert around.takes() == [] and ids(around) == (["share"], ["more"])
    assert around.said()[0].endswith("more.secret: there is no such file")
    around.no_secrets = set()
    around.follower.look_again()
    assert around.takes() == [("add", "more")] and ids(around) == (["share", "more"], [])


def test_a_folder_that_could_not_be_opened_is_named_and_tried_again(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.unopened = {"more"}
    around.write(SHARE, SHARE.replace("share", "more"))
    told = around.follower.reload()
    assert told.folders_added == [] and [one.folder for one in told.unusable] == ["more"]
    assert ids(around) == (["share"], ["more"]) and around.said() == ["no room"]
    around.unopened = set()
    around.follower.reload()
    assert around.takes() == [("add", "more")] and ids(around) == (["share", "more"], [])


def test_who_shares_is_told_that_the_folder_could_not_come(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE)
    around.unopened = {"more"}
    with pytest.raises(RosterError):
        around.learns(learnt_folder(tmp_path))


def test_a_written_folder_in_the_way_of_one_that_was_learnt_is_unusable(tmp_path: Path) -> None:
    around = Around(tmp_path, SHARE, learnt_folder(tmp_path))
    around.reads(SHARE, OTHER.replace('"share"', '"more/inside"').replace("share.s", "o.s"))
    assert ids(around) == (["share", "more"], ["other"]) and around.takes() == []
    assert "the share of the folder more" in around.said()[0]


def test_a_folder_may_not_lie_in_the_state_that_this_agent_has_nor_in_the_next_one(
    tmp_path: Path,
) -> None:
    around = Around(tmp_path, SHARE)
    more = SHARE.replace('"share"', '"more"', 1).replace("share.s", "more.s")
    text = HEAD.replace('"state"', '"next"') + SHARE + more.replace('"share"', '"state/in"')
    (tmp_path / "peer.toml").write_text(text)
    told = around.follower.reload()
    assert told.need_a_start == ["[device] state"] and told.unusable[0].folder == "more"
    (tmp_path / "peer.toml").write_text(text.replace('"state/in"', '"next/in"'))
    assert around.follower.reload().unusable[0].folder == "more"
