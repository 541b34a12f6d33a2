"""After a removal the others seal with a secret that the removed device never had, and nothing else
changes.

The nodes are joined by the mesh, on real shares; their rosters are kept in memory.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from nacl.bindings import crypto_secretbox_open_easy
from nacl.exceptions import CryptoError

from leftzmq.content.keys import EpochKeys, derive_epoch
from leftzmq.content.seal import MAC_BYTES, NONCE_BYTES
from leftzmq.errors import IndexFault, LeftError, Refused, RosterNotKept, StopCause
from leftzmq.sync.facts import EpochKeyArrived, LinkClosed, RosterGrew
from leftzmq.sync.jobs import CutSlice, Job, Look, ReadPage
from leftzmq.sync.link import Link, Way
from leftzmq.sync.peers.roster.making import Newcomer, Signatory
from leftzmq.sync.peers.roster.rosters import Rosters
from leftzmq.wire import epoch_key
from leftzmq.wire.messages import (
    Chunks,
    EpochKey,
    EpochWanted,
    Get,
    Have,
    IndexPage,
    IndexSince,
    Message,
    News,
    Reading,
    RosterPart,
)
from tests.helpers.members import Members, Sent
from tests.helpers.mesh import Device, Held
from tests.helpers.roster_keeper import RosterKeeper
from tests.sim.node import FOLDER

pytestmark = pytest.mark.slow

LARGE = bytes(range(256)) * 40_000


@pytest.fixture
def three(tmp_path: Path) -> Members:
    """Three members of one roster, with a file each."""
    mesh = Members(tmp_path)
    mesh.begins("ABC")
    for name in "ABC":
        mesh[name].write(f"of {name}", name.encode() * 100)
    mesh.scan_all()
    mesh.settle()
    mesh.sent.clear()
    return mesh


def boxes(sent: Sent) -> Iterator[tuple[bytes, bytes, bytes]]:
    """The tag, nonce and box of everything sealed in an epoch in a message."""
    message = sent.message
    if isinstance(message, IndexPage | News):
        yield message.tag, message.sealed[:NONCE_BYTES], message.sealed[NONCE_BYTES:]
    if isinstance(message, Chunks):
        at = 0
        for part in message.parts:
            size = part.length + MAC_BYTES
            yield message.tag, part.id[:NONCE_BYTES], sent.body[at : at + size]
            at += size


def opens(keys: EpochKeys, nonce: bytes, box: bytes) -> bytes | None:
    for key in (keys.seal_key, keys.page_key):
        with suppress(CryptoError):
            return crypto_secretbox_open_easy(box, nonce, key)
    return None


def check_secrecy(mesh: Members, gone: str, since: str = "") -> None:
    """P2: nothing that a device made after it heard of a removal opens with what the removed one
    has; and P3: no key and nonce for two plaintexts. since: of whose removal; "": of its own."""
    removed = mesh[gone]
    has = [removed.keys.first]
    has += [derive_epoch(each) for each in removed.roster_keeper.load(removed.keys.tag).epochs]
    sealed: dict[tuple[bytes, bytes], bytes] = {}
    seen = 0
    for sent in mesh.sent:
        if isinstance(sent.message, EpochKey) and (since or gone) in sent.knew:
            assert sent.to != gone
            with pytest.raises(Refused):
                epoch_key.open_sealed(
                    sent.message.sealed,
                    sent.message.epoch,
                    removed.secret,
                    mesh[sent.sender].key,
                )
        for tag, nonce, box in boxes(sent):
            assert sealed.setdefault((tag, nonce), box) == box
            if (since or gone) in sent.knew and sent.sender != gone:
                seen += 1
                assert tag not in {keys.tag for keys in has}
                assert all(opens(keys, nonce, box) is None for keys in has), sent.message
        named = not since and isinstance(sent.message, Get | Have | IndexSince | Reading)
        if named and sent.to == gone:
            assert gone not in sent.knew
    assert seen, "nothing was looked at"


def same_epoch(mesh: Members, names: str) -> bytes:
    used = {mesh.used(name) for name in names}
    assert len(used) == 1 and None not in used, used
    (tag,) = used
    assert tag is not None
    return tag


# ---- a removal -----------------------------------------------------------------------------------


def test_until_somebody_is_removed_all_is_sealed_in_the_first_epoch(three: Members) -> None:
    assert same_epoch(three, "ABC") == three["A"].keys.tag
    three["A"].write("more", b"more")
    three.scan_all()
    three.settle()
    tags = {tag for sent in three.sent for tag, _, _ in boxes(sent)}
    assert tags == {three["A"].keys.tag}
    assert not any(isinstance(sent.message, EpochKey | EpochWanted) for sent in three.sent)


def test_after_a_removal_the_others_go_on_in_an_epoch_that_the_removed_one_cannot_open(
    three: Members,
) -> None:
    three.removes("A", "C")
    assert same_epoch(three, "AB") != three["A"].keys.tag
    assert three["C"].epochs.secret(same_epoch(three, "AB")) is None
    for name in "AB":
        three[name].write(f"after {name}", name.encode() * 1000)
        three[name].write(f"large {name}", LARGE + name.encode())
    three.scan_all()
    three.settle()
    assert three["A"].tree() == three["B"].tree()
    assert "after A" in three["B"].tree() and "after A" not in three["C"].tree()
    check_secrecy(three, "C")


def test_the_removal_and_its_epoch_are_one_message_and_the_removed_one_gets_the_removal_alone(
    three: Members,
) -> None:
    before = three.roster("C").digest()
    three.removes("A", "C")
    assert three.roster("B").knows_epoch(same_epoch(three, "AB"))
    assert three.roster("C").removals_of(three["C"].key) and three.roster("C").digest() != before
    assert not three.roster("C").knows_epoch(same_epoch(three, "AB"))
    made = [each for name in "AB" for each in three.roster(name).clean_epochs()]
    assert len(set(made)) == 1, "only the one who removed made one"


def test_a_removal_in_the_midst_of_a_transfer_interrupts_no_other_one(three: Members) -> None:
    three["A"].write("large", LARGE)
    three["A"].scan()
    three.until(lambda: sum(isinstance(it, Chunks) for it in three["A"].sent) >= 4)
    three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    began = three.now
    three.until(lambda: three["B"].tree() == three["A"].tree())
    assert three.now - began < 1.0
    three.settle()
    check_secrecy(three, "C")
    ids = Counter(part.id for sent in parts_to(three, "B") for part in sent.parts)
    assert set(ids.values()) == {1}, "no chunk is sent twice"


def parts_to(mesh: Members, name: str) -> list[Chunks]:
    return [
        sent.message for sent in mesh.sent if sent.to == name and isinstance(sent.message, Chunks)
    ]


def test_nothing_is_hashed_or_sent_again_because_of_a_removal(three: Members) -> None:
    jobs: list[Job] = []
    for name in "AB":
        run = three[name].runner.run
        three[name].runner.run = (  # type: ignore[method-assign]
            lambda job, run=run: (jobs.append(job), run(job))[1]
        )
    three.removes("A", "C")
    three.settle()
    assert not any(isinstance(job, CutSlice | Look) for job in jobs)
    assert not any(isinstance(sent.message, Get | Chunks) for sent in three.sent)


def test_the_epoch_is_kept_across_a_start_of_each(three: Members) -> None:
    three.removes("A", "C")
    used = same_epoch(three, "AB")
    for name, other in (("A", "B"), ("B", "A")):
        three[name].kill()
        three.settle()
        three[other].write(f"while {name} was away", b"!")
        three[other].scan()
        three.settle()
        three[name].start()
        assert three.used(name) == used, "also before it has met anybody"
        three.settle()
        assert three["A"].tree() == three["B"].tree()
    assert same_epoch(three, "AB") == used
    check_secrecy(three, "C")


def test_news_goes_out_in_the_new_epoch_at_once_after_it_was_heard(three: Members) -> None:
    three.removes("A", "C")
    three["A"].write("soon", b"soon", mtime=1e9)
    three["A"].scan()
    three.settle(0.5)
    assert "soon" in three["B"].tree()


def test_a_page_that_was_read_before_a_removal_is_sealed_again(three: Members) -> None:
    held = Held(three["A"], ReadPage)
    link = Link(three["A"].key, Way.DIALED)
    three.send(three["B"], link, IndexSince(three["B"].keys.tag, bytes(12), 0), None)
    three.settle(0.1)
    job = held.take(ReadPage)
    read = three["A"].runner.run(job)
    three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    three["A"].take(read)
    three.settle(0.1)
    assert not any(isinstance(sent.message, IndexPage) for sent in three.sent)
    for again in held.jobs:
        assert isinstance(again, ReadPage) and again.tag == three.used("A")
        three["A"].take(three["A"].runner.run(again))
    three.settle(0.1)
    assert any(isinstance(sent.message, IndexPage) for sent in three.sent)
    check_secrecy(three, "C")


def test_the_removed_device_itself_does_not_wait_for_a_new_secret(three: Members) -> None:
    three.removes("A", "C")
    three.settle(100.0)
    assert three["C"].folder.stopped is not None
    assert "waits for" not in three.said("C")


def test_who_is_out_with_its_inviter_and_stays_connected_asks_for_no_secret(
    tmp_path: Path,
) -> None:
    """Its links stay where it is in another folder, too. No removal names it: so it is told of the
    epoch, whose secret only members get."""
    mesh = Members(tmp_path, "ABC")
    mesh.begins("AB")
    mesh["A"].exchange._is_vouched = lambda device: device != mesh["C"].key
    mesh.invites("B", "C")
    mesh.start("C")
    mesh.removes("A", "B")
    stopped = mesh["C"].folder.stopped
    assert stopped is not None and stopped.cause is StopCause.PUT_OUT
    assert mesh.roster("C").clean_epochs() == [mesh.used("A")]
    mesh.settle(5.0)
    mesh.sent.clear()
    mesh.settle(130.0)
    assert not [sent.message for sent in mesh.sent if sent.sender == "C"]
    assert mesh["C"].exchange.deadline() is None


def test_who_hears_of_a_removal_from_the_removed_device_makes_no_epoch_of_its_own(
    three: Members,
) -> None:
    """What the remover says is late; the removed device passes the removal on."""
    three.delays = lambda to, message: to == "B" and not isinstance(message, Chunks | Get)
    before = len(three.delayed)
    three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    three.settle(0.1)
    assert len(three.delayed) > before
    of_a, of_c = list[Callable[[], None]](), list[Callable[[], None]]()
    for deliver in three.delayed:
        sender = deliver.args[0]  # type: ignore[attr-defined]
        (of_a if sender is three["A"] else of_c).append(deliver)
    three.delayed = [*of_c]
    three.release()
    three.settle(1.0)
    assert three.live("B") == "AB" and three.used("B") is None
    three.delayed = of_a
    three.release()
    three.settle()
    assert same_epoch(three, "AB") in three.roster("A").clean_epochs()
    assert len(three.roster("A").clean_epochs()) == 1


def test_who_joined_seals_nothing_before_it_has_heard_the_roster(tmp_path: Path) -> None:
    mesh = Members(tmp_path, "AB")
    mesh.start("A")
    mesh["A"].rosters.found(FOLDER)
    rosters = Rosters(
        Signatory(mesh["B"].key, mesh["B"].signs),
        "B",
        lambda device: "",
        RosterKeeper(),
        lambda: 0.0,
        os.urandom,
    )
    rosters.add_folder(FOLDER, mesh["B"].keys)
    epochs = rosters.folders[FOLDER].epochs
    assert epochs.in_use == mesh["B"].keys.first
    rosters.hold(FOLDER, b"e" * 32)
    rosters.pin(FOLDER, mesh["A"].rosters.pins(FOLDER))
    assert epochs.in_use is None
    mesh["A"].rosters.let_in(FOLDER, Newcomer(mesh["B"].key, "B"), 0)
    rosters.take(FOLDER, mesh.roster("A").after(), None, 0.0)
    assert epochs.in_use == mesh["B"].keys.first


def test_who_holds_the_folders_secret_and_is_no_member_gets_no_other_secret(
    tmp_path: Path,
) -> None:
    mesh = Members(tmp_path, "ABCD")
    mesh.begins("ABC")
    for name in "ABC":
        mesh[name].exchange._is_vouched = lambda device: False
        mesh[name].exchange._may_found = lambda device: False
    mesh["D"].start()
    mesh.settle()
    assert "D" in mesh.shares_with("A") and mesh.live("A") == "ABC"
    mesh.removes("A", "C")
    mesh.send(
        mesh["D"],
        Link(mesh["A"].key, Way.DIALED),
        EpochWanted(mesh["D"].keys.tag, same_epoch(mesh, "AB")),
        None,
    )
    mesh.settle()
    assert not any(sent.to == "D" for sent in mesh.sent if isinstance(sent.message, EpochKey))
    check_secrecy(mesh, "C")
    check_secrecy(mesh, "D", "C")


# ---- who was away --------------------------------------------------------------------------------


def test_who_was_away_for_three_removals_gets_the_newest_from_the_first_it_meets(
    tmp_path: Path,
) -> None:
    mesh = Members(tmp_path, "ABCDEF")
    mesh.begins("ABCDEF")
    mesh["B"].kill()
    mesh.settle()
    used = set()
    for gone in "DEF":
        mesh.removes("A", gone)
        mesh[gone].kill()
        used.add(same_epoch(mesh, "AC"))
    assert len(used) == 3
    mesh["A"].kill()
    mesh.settle()
    mesh.sent.clear()
    mesh["C"].write("of C", b"of C")
    mesh["C"].scan()
    mesh["B"].start()
    mesh.settle()
    assert same_epoch(mesh, "BC") == mesh.used("C") and mesh.used("C") in used
    assert "of C" in mesh["B"].tree()
    check_secrecy(mesh, "D")


def test_two_removals_apart_end_in_one_epoch_that_neither_removed_one_has(tmp_path: Path) -> None:
    mesh = Members(tmp_path, "ABCDE")
    mesh.begins("ABCDE")
    for name in "BE":
        mesh[name].kill()
    mesh.settle()
    mesh.removes("A", "C")
    for name in "ACD":
        mesh[name].kill()
    mesh["B"].start()
    mesh.settle()
    mesh.removes("B", "D")
    apart = {mesh.used("B")}
    mesh["A"].start()
    apart.add(mesh.used("A"))
    mesh.settle()
    assert same_epoch(mesh, "AB") not in apart
    mesh["E"].start()
    mesh.settle()
    assert same_epoch(mesh, "ABE") not in apart
    assert len({mesh.roster(name).digest() for name in "ABE"}) == 1
    mesh["E"].write("of E", b"of E")
    mesh.scan_all()
    mesh.settle()
    assert mesh["A"].tree() == mesh["B"].tree() == mesh["E"].tree()
    for gone in "CD":
        check_secrecy(mesh, gone)


def test_who_asks_under_an_old_tag_is_told_all_first(three: Members) -> None:
    """B knows of no removal: its link to A never broke, and A's words to it are lost."""
    three.loses = lambda to, message: to == "B"
    three.removes("A", "C")
    three.loses = lambda to, message: False
    assert three.used("B") == three["B"].keys.tag != three.used("A")
    three["A"].write("more", b"more")
    three["A"].scan()
    link = Link(three["A"].key, Way.DIALED)
    three["B"].around.send(three["B"], link, IndexSince(three["B"].keys.tag, bytes(12), 0), None)
    three.settle(1.0)
    assert same_epoch(three, "AB") != three["A"].keys.tag
    three.settle()
    assert three["A"].tree() == three["B"].tree()
    check_secrecy(three, "C")


def test_a_get_under_an_old_tag_is_asked_again_in_the_new_epoch(three: Members) -> None:
    """The words of the removal are late. So B hears of it by the answer to its get first."""
    three["A"].write("large", LARGE)
    three["A"].scan()
    three.until(lambda: any(sent.to == "B" for sent in three.sent if is_chunks(sent)))
    three.delays = lambda to, message: to == "B" and not isinstance(message, Chunks | Get)
    three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    three.until(lambda: any(is_stale(three, sent) for sent in three.sent))
    assert three.used("B") == three["A"].keys.tag
    asked = sum(is_stale(three, sent) for sent in three.sent)
    three.settle(0.9)
    assert sum(is_stale(three, sent) for sent in three.sent) == asked, "B rests, and waits"
    three.release()
    three.settle(0.2)
    assert three["B"].tree() == three["A"].tree()
    check_secrecy(three, "C")


def is_chunks(sent: Sent) -> bool:
    return isinstance(sent.message, Chunks)


def is_stale(mesh: Members, sent: Sent) -> bool:
    message = sent.message
    is_one = isinstance(message, Chunks) and sent.to == "B" and not message.parts
    return is_one and message.tag == mesh.used("A") != mesh.used("B")


def test_a_get_that_comes_before_the_secret_of_its_tag_is_answered_when_that_comes(
    three: Members,
) -> None:
    three["A"].write("large", LARGE)
    three["A"].scan()
    three.until(lambda: any(sent.to == "A" for sent in three.sent if isinstance(sent.message, Get)))
    three.delays = lambda to, message: to == "A" and not isinstance(message, Chunks | Get)
    three["B"].rosters.remove(FOLDER, three["C"].key, False)
    three["B"].take(RosterGrew(FOLDER))
    used = three.used("B")
    three.until(lambda: any(getattr(sent.message, "tag", b"") == used for sent in gets(three)))
    assert three.used("A") != used
    three.settle(0.5)
    three.release()
    three.settle(0.2)
    assert same_epoch(three, "AB") == used
    assert three["B"].tree() == three["A"].tree()
    check_secrecy(three, "C")


def gets(mesh: Members) -> list[Sent]:
    return [s for s in mesh.sent if s.to == "A" and isinstance(s.message, Get)]


def test_a_secret_goes_on_from_member_to_member(tmp_path: Path) -> None:
    """B and A are not connected."""
    mesh = Members(tmp_path, "ABCD")
    mesh.begins("ABCD")
    for name, other in ("AB", "BA"):
        mesh[name].take(LinkClosed(Link(mesh[other].key, Way.DIALED), "gone"))
        came = Link(mesh[other].key, Way.CAME, b"\0" + mesh[other].key[:4])
        mesh[name].take(LinkClosed(came, "gone"))
    mesh.settle(0.1)
    mesh["A"].rosters.remove(FOLDER, mesh["D"].key, False)
    mesh["A"].take(RosterGrew(FOLDER))
    mesh.settle(1.0)
    assert not any(
        isinstance(s.message, EpochKey) and (s.sender, s.to) == ("A", "B") for s in mesh.sent
    )
    same_epoch(mesh, "ABC")
    assert len(mesh.roster("A").clean_epochs()) == 1
    check_secrecy(mesh, "D")


def test_news_that_came_before_its_secret_is_made_good_soon(three: Members) -> None:
    three.delays = lambda to, message: to == "B" and not isinstance(message, Chunks | Get | News)
    three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    three["A"].write("soon", b"soon", mtime=1e9)
    three["A"].scan()
    three.settle(0.5)
    assert "soon" not in three["B"].tree()
    three.release()
    three.settle(1.5)
    assert "soon" in three["B"].tree()


def test_a_page_that_came_before_its_secret_is_asked_for_again_at_once(three: Members) -> None:
    three.delays = lambda to, message: to == "B" and isinstance(message, RosterPart | EpochKey)
    three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    three.settle(0.1)
    asks = three["B"].folder.index_client
    for action in asks._ask(three["A"].key, three.now):
        three["B"].do(action)  # type: ignore[arg-type]
    three.settle(0.2)
    assert asks.receives(three["A"].key), "the page did not open"
    three.release()
    three.settle(0.2)
    assert not asks.receives(three["A"].key)


@pytest.mark.parametrize("order", [1, -1])
def test_two_that_made_one_each_use_the_higher_one_at_once(three: Members, order: int) -> None:
    """B made one as A's secret did not come."""
    secrets = sorted((b"x" * 32, b"y" * 32), key=lambda each: derive_epoch(each).tag)[::order]
    for name, secret in zip("AB", secrets, strict=True):
        random = three[name].rosters._random
        three[name].rosters._random = lambda count, secret=secret, random=random: (
            secret if count == 32 else random(count)
        )
    loses_keys(three, "B")
    three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    three.settle(2.0)
    three.loses = lambda to, message: False
    three.settle(3.0)
    assert same_epoch(three, "AB") == max(derive_epoch(each).tag for each in secrets)


# ---- secrets that do not come --------------------------------------------------------------------


def loses_keys(mesh: Members, *names: str) -> None:
    mesh.loses = lambda to, message: to in names and isinstance(message, EpochKey)


def test_who_lacks_the_secret_at_a_greeting_asks_for_it(three: Members) -> None:
    loses_keys(three, "B")
    three["A"].rosters.remove(FOLDER, three["C"].key, False)
    three["A"].take(RosterGrew(FOLDER))
    three.settle(0.5)
    assert three.used("B") is None
    three.loses = lambda to, message: False
    three.sent.clear()
    three.joins_again("A", "B")
    three.settle(1.0)
    assert same_epoch(three, "AB") == three.used("A")
    assert [s.sender for s in three.sent if isinstance(s.message, EpochWanted)] == ["B"]


def test_a_secret_that_is_withheld_blocks_nobody_who_may_write(three: Members) -> None:
    loses_keys(three, "B")
    three.removes("A", "C")
    three.settle(5.0)
    assert three.used("B") is not None
    three.loses = lambda to, message: False
    three.settle(70.0)
    same_epoch(three, "AB")
    three["B"].write("of B", b"after")
    three.scan_all()
    three.settle()
    assert three["A"].tree() == three["B"].tree()
    check_secrecy(three, "C")


def test_who_may_only_read_waits_says_so_and_seals_nothing(tmp_path: Path) -> None:
    mesh = Members(tmp_path)
    mesh.start("A")
    mesh["A"].rosters.found(FOLDER)
    mesh.lets_in("A", "B", "read")
    mesh.lets_in("A", "C", "full")
    mesh.start("BC")
    assert mesh.roster("B").mode(mesh["B"].key) == "read"
    loses_keys(mesh, "B")
    mesh["A"].rosters.remove(FOLDER, mesh["C"].key, False)
    mesh["A"].take(RosterGrew(FOLDER))
    mesh.settle(9.0)
    assert mesh.used("B") is None and "waits for the new secret" not in mesh.said("B")
    mesh.sent.clear()
    mesh["B"].write("of B", b"after")
    mesh["B"].scan()
    mesh.settle(20.0)
    assert "waits for the new secret of the folder from A" in mesh.said("B")
    assert not [box for sent in mesh.sent if sent.sender == "B" for box in boxes(sent)]
    mesh.loses = lambda to, message: False
    mesh.settle(70.0)
    assert same_epoch(mesh, "AB") != mesh["A"].keys.tag
    assert "it has a new secret, and goes on" in mesh.said("B")
    mesh["A"].write("of A", b"for both")
    mesh["A"].scan()
    mesh.settle()
    assert "of A" in mesh["B"].tree() and "of B" not in mesh["A"].tree()
    check_secrecy(mesh, "C")


def test_who_is_no_member_gets_no_secret_whatever_it_asks_for(three: Members) -> None:
    three.removes("A", "C")
    used = same_epoch(three, "AB")
    three.sent.clear()
    link = Link(three["A"].key, Way.DIALED)
    for message in (EpochWanted(three["C"].keys.tag, used), IndexSince(used, bytes(12), 0)):
        three.send(three["C"], link, message, None)
    three.send(three["C"], link, Get(1, used, [bytes(32)], []), None)
    three.send(three["C"], link, Get(2, three["C"].keys.tag, [bytes(32)], []), None)
    three.settle(5.0)
    assert not [
        sent for sent in three.sent if sent.to == "C" and not isinstance(sent.message, News)
    ]


def test_a_secret_of_which_nobody_spoke_is_not_kept(three: Members) -> None:
    secret = b"s" * 32
    epoch = derive_epoch(secret).tag
    three["A"].take(EpochKeyArrived(Link(three["B"].key, Way.DIALED), FOLDER, epoch, secret))
    three.settle(1.0)
    assert three["A"].epochs.keys(epoch) is None
    assert not three["A"].roster_keeper.load(three["A"].keys.tag).epochs


def test_of_two_epochs_that_are_clean_all_use_the_one_with_the_highest_tag(three: Members) -> None:
    loses_keys(three, "A", "B")
    three.removes("A", "C")  # both make one, as no secret arrives
    three.settle(5.0)
    assert three.used("A") != three.used("B") is not None
    three.loses = lambda to, message: False
    three.joins_again("A", "B")
    three.settle()
    made = three.roster("A").clean_epochs()
    assert len(made) == 2
    assert same_epoch(three, "AB") == max(made)


# ---- what is durable -----------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends before a write."""


@pytest.mark.parametrize("write", [0, 1, 2])
def test_a_kill_before_any_write_leaves_it_as_before_or_as_after(
    three: Members, write: int
) -> None:
    device = three["A"]
    left = [write]

    def before() -> None:
        if left[0] == 0:
            raise Killed
        left[0] -= 1

    device.roster_keeper.before = before
    done = False
    with suppress(Killed):
        device.rosters.remove(FOLDER, three["C"].key, False)
        done = True
    assert done is (write == 2)
    device.roster_keeper.before = lambda: None
    device.kill()
    device.start()
    assert (three.live("A") == "AB") is done
    assert (three.used("A") == device.keys.tag) is not done
    three.settle()
    if not done:
        assert same_epoch(three, "ABC") == device.keys.tag
        three.removes("A", "C")
    assert same_epoch(three, "AB") != device.keys.tag
    check_secrecy(three, "C")


@pytest.mark.parametrize("write", [0, 1])
def test_a_removal_whose_secret_or_word_cannot_be_kept_did_not_happen(
    three: Members, write: int
) -> None:
    device = three["A"]
    left = [write]

    def before() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise RosterNotKept(IndexFault.FULL, "database or disk is full", "rosters.db")

    device.roster_keeper.before = before
    with pytest.raises(LeftError, match="disk is full"):
        device.rosters.remove(FOLDER, three["C"].key, False)
    device.roster_keeper.before = lambda: None
    device.take(RosterGrew(FOLDER))
    three.settle()
    assert three.live("A") == three.live("B") == "ABC"
    assert same_epoch(three, "ABC") == device.keys.tag
    three.removes("A", "C")
    assert same_epoch(three, "AB") != device.keys.tag


def test_who_cannot_keep_a_secret_says_so_does_not_use_it_and_gets_it_later(
    three: Members,
) -> None:
    device = three["B"]
    full = [True]

    def before() -> None:
        # The words of the removal find room; no secret does.
        if full[0] and device.epochs.in_use is None:
            raise RosterNotKept(IndexFault.FULL, "database or disk is full", "rosters.db")

    device.roster_keeper.before = before
    three.removes("A", "C")
    assert three.live("B") == "AB" and three.used("B") is None
    assert "the new secret from A is lost" in three.said("B")
    three.settle(20.0)
    assert "waits for the new secret of the folder from A" in three.said("B")
    full[0] = False
    three.settle(70.0)
    assert same_epoch(three, "AB") == three.used("A")
    three["A"].write("later", b"later")
    three.scan_all()
    three.settle()
    assert three["A"].tree() == three["B"].tree()
    check_secrecy(three, "C")


def test_no_secret_is_told_before_it_is_durable(three: Members) -> None:
    def check(device: Device, message: Message) -> None:
        if isinstance(message, EpochKey):
            kept = device.roster_keeper.load(device.keys.tag).epochs
            assert message.epoch in {derive_epoch(secret).tag for secret in kept}

    send = three.send

    def checked(device: Device, link: Link, message: Message, body: object) -> None:
        check(device, message)
        send(device, link, message, body)

    three.send = checked  # type: ignore[method-assign, assignment]
    three.removes("A", "C")
    assert any(isinstance(sent.message, EpochKey) for sent in three.sent)


def test_who_hears_the_roster_late_and_from_the_removed_device_makes_an_epoch(
    tmp_path: Path,
) -> None:
    """It joined, and waited for an epoch before it knew that it may make one."""
    mesh = Members(tmp_path, "ABC")
    mesh.start("AB")
    mesh.invites("A", "C")
    mesh.loses = lambda to, message: to == "C" and isinstance(message, RosterPart)
    mesh.start("C")
    mesh.removes("A", "B")
    mesh.settle(20.0)
    mesh["A"].kill()
    mesh.loses = lambda to, message: False
    mesh.joins_again("B", "C")
    mesh.settle(5.0)
    assert mesh.live("C") == "AC"
    assert mesh.used("C") not in (None, mesh["C"].keys.tag)
