"""One yes or no for scripts."""

from __future__ import annotations

import pytest

from leftzmq.web.checks import ready, synced
from leftzmq.wire.replies import FolderStatus, Status
from tests.helpers.web import a_folder, a_member, a_status


def status(*folders: FolderStatus) -> Status:
    return Status.of(a_status(*folders))


def test_ready_is_an_agent_whose_first_scan_is_done() -> None:
    assert ready(status()).is_yes
    said = ready(status(a_folder("a"), a_folder("b", state="scanning")))
    assert (said.is_yes, said.reason) == (False, "scanning: b")


@pytest.mark.parametrize(
    ("folder", "peer", "members", "changed", "is_yes", "reason"),
    [
        ("docs", "beta", [a_member()], {}, True, "in sync"),
        ("", "", [a_member()], {}, True, "in sync"),
        ("", "", [a_member(state="reading")], {}, True, "in sync"),
        ("", "", [], {}, False, "another device is no member of docs"),
        ("", "gamma", [a_member()], {}, False, "gamma is no member of docs"),
        ("x", "", [a_member()], {}, False, "there is no folder x"),
        (
            "",
            "beta",
            [a_member(state="behind", behind_paths=7)],
            {},
            False,
            "beta in docs: behind, lacks 7 paths",
        ),
        ("", "", [a_member(), a_member("c", "syncing")], {}, False, "c in docs: syncing"),
        ("", "beta", [a_member(), a_member("c", "syncing")], {}, True, "in sync"),
        ("", "", [a_member(), a_member("c", "not there")], {}, True, "in sync"),
        ("", "c", [a_member(), a_member("c", "not there")], {}, False, "c in docs: not there"),
        ("", "", [a_member()], {"state": "scanning"}, False, "docs is scanning here"),
        ("", "", [a_member()], {"state": "paused"}, False, "docs is paused here"),
    ],
)
def test_synced(
    folder: str,
    peer: str,
    members: list[object],
    changed: dict[str, str],
    is_yes: bool,
    reason: str,
) -> None:
    said = synced(status(a_folder(members=members, **changed)), folder, peer)
    assert (said.is_yes, said.reason) == (is_yes, reason)


def test_of_two_folders_one_is_named() -> None:
    assert synced(status(a_folder("a"), a_folder("b")), "", "").reason == "name a folder"
