"""Which folder a question is about, where some of them cannot be used."""

from __future__ import annotations

import pytest

from leftzmq.config import UnusableFolder
from tests.helpers.mesh import Device, Mesh
from tests.sim.node import FOLDER

WRONG = UnusableFolder("wrong", "", "peer.toml: is wrong there")
GOES = UnusableFolder(FOLDER, "", "peer.toml: is wrong there")


def said(mesh: Mesh, device: Device, unusable: list[UnusableFolder], **fields: str) -> str:
    """What is declined; "" if nothing is."""
    device.node.commands._unusable = unusable
    answer = mesh.ask(device, "problems", **fields)
    return str(answer["declined"]["what"]) if "declined" in answer else ""


def test_the_only_folder_needs_no_name(mesh: Mesh) -> None:
    a = mesh.devices["A"]
    assert said(mesh, a, []) == said(mesh, a, [], folder=FOLDER) == ""
    stopped = f"the folder {FOLDER} is stopped: peer.toml: is wrong there"
    assert said(mesh, a, [GOES]) == stopped, "it goes, and cannot be used"
    assert said(mesh, a, [GOES], folder=FOLDER) == stopped


@pytest.mark.parametrize(
    ("folder", "what"),
    [
        ("", f"there are several folders here: {FOLDER}, wrong"),
        ("other", f"there is no such folder here; there is {FOLDER}, wrong"),
        ("wrong", "the folder wrong is stopped: peer.toml: is wrong there"),
        (FOLDER, ""),
    ],
)
def test_several_folders_are_named_once(mesh: Mesh, folder: str, what: str) -> None:
    assert said(mesh, mesh.devices["A"], [WRONG], folder=folder) == what
