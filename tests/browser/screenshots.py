"""Pictures of the page before a stand-in for the agent that has something to say everywhere.

    python -m tests.browser.screenshots DIR

For the README, and for whoever changed the page and wants to see it: each view, light, dark, and
360 pixels wide.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from leftzmq.wire.local import EventKind
from leftzmq.wire.replies import HeldBack, LimitsShown, PeerStatus, ShownProblem, Source, UnderWay
from tests.helpers.pages import Page, browser
from tests.helpers.web import TOKEN, FakeAgent, a_folder, a_member, a_status, served

VIEWS: Final = ("now", "conflicts", "trash", "problems", "why", "invite")
NOW: Final = time.time()
_LETTER: Final = "Dear Ada,\n\nthe boat leaves at nine.\nBring the maps.\n\nYours\nB.\n"
_COPY: Final = "letter.conflict-20261130-100000-IFAUCQI-4131.txt"


def everything() -> dict[str, Any]:
    """The answer of an agent that has a bit of all."""
    film = UnderWay(
        path="films/summer-2026.mkv",
        size=2_457_442_066,
        have=1_104_857_600,
        phase="FETCHING",
        sources=[Source(name="desk", rate=81_000_000), Source(name="attic", rate=12_500_000)],
    )
    problem = ShownProblem(
        path="big.iso",
        problem="DISK_FULL",
        text="big.iso: the disk is full: make room; it goes on by itself",
    )
    pipe = ShownProblem(
        path="run/pipe",
        problem="NOT_SYNCED",
        text="run/pipe: not a file, folder or link: not synced",
    )
    lacks = {"behind_paths": 12, "behind_bytes": 400_000_000}
    media = a_folder(
        "media-k3x9",
        state="syncing",
        files=18_204,
        bytes=91_204_338_112,
        tickets=37,
        need_bytes=3_011_444_066,
        rate=93_500_000,
        arriving=1,
        under_way=[film],
        received_bytes=1_200_000_000,
        members=[a_member("desk"), a_member("attic", "behind", **lacks)],
        problems=2,
        problem_list=[problem, pipe],
    )
    notes = a_folder(
        "notes-p2m7",
        files=842,
        bytes=19_300_221,
        conflicts=1,
        conflict_list=[_COPY],
        conflict_devices=["desk"],
        held=HeldBack(elsewhere=120),
        members=[a_member("desk"), a_member("phone", "not connected")],
    )
    old = a_folder("archive", state="paused", why="its user paused it until 18:00", members=[])
    status = a_status(media, notes, old)
    peers = [
        PeerStatus(name="desk", key="d", connected=True, state="in sync", since=NOW - 7_300),
        PeerStatus(
            name="attic",
            key="t",
            connected=True,
            state="behind",
            since=NOW - 640,
            behind_paths=12,
            behind_bytes=400_000_000,
            behind_since=NOW - 95,
            limits=LimitsShown(up=12_500_000),
        ),
        PeerStatus(
            name="phone",
            key="p",
            connected=False,
            state="not connected",
            reason="nobody answers",
            note="nobody answers at tcp://192.168.1.30:7700",
            since=NOW - 90_000,
        ),
    ]
    status["device"] = "laptop"
    status["limits"] = {"up": 12_500_000, "down": None}
    status["peers"] = [peer.fields() for peer in peers]
    return status


def _version(path: str, device: str, text: str, *, copy: bool) -> dict[str, Any]:
    return {
        "path": path,
        "copy": copy,
        "kind": "file",
        "size": len(text),
        "mtime_ns": int((NOW - 3_000) * 1e9),
        "device": device,
        "letters": "IFAUCQI",
        "text": text,
    }


def _findings() -> list[dict[str, Any]]:
    found = [
        ("reached", "bad", "phone", "it cannot reach us", "open port 7700 in the firewall"),
        ("room", "note", "media-k3x9", "0.9% of its disk is free", "make room"),
        ("clock", "good", "desk", "its clock agrees with ours", ""),
    ]
    names = ("check", "state", "about", "text", "cure")
    return [dict(zip(names, one, strict=True)) for one in found]


def answers() -> dict[str, Any]:
    copy = {
        "path": "letter.txt",
        "copy": _COPY,
        "cursor": "1",
        "mtime_ns": int(NOW * 1e9),
        "device": "desk",
        "letters": "IFAUCQI",
        "kind": "file",
        "size": 66,
    }
    theirs = _LETTER.replace("at nine", "at half past eight").replace(
        "Yours", "P.S. And bread.\n\nYours"
    )
    taken = [
        {
            "batch": "20261130-081500-0000abcd",
            "path": f"photos/2024/lake-{number:02}.jpg",
            "kind": "file",
            "size": 2_400_000 + 31_000 * number,
            "mtime_ns": 0,
            "cursor": f"20261130-081500-0000abcd/{number}",
        }
        for number in range(1, 9)
    ]
    waiting = {"name": "new-phone", "key": "90ae29-hytg97-5rha0z", "address": "192.168.1.41"}
    invitation = {
        "mark": "ab12",
        "folder": "media-k3x9",
        "state": "open",
        "uses": 1,
        "uses_left": 1,
        "mode": "full",
        "opened": NOW - 60,
        "until": NOW + 540,
        "came_in": [],
        "asks": True,
        "waiting": [{**waiting, "since": NOW - 5}],
        "answered": [],
    }
    why = {
        "folder": "media-k3x9",
        "path": "films/summer-2026.mkv",
        "reason": "being fetched",
        "text": "films/summer-2026.mkv is being fetched from desk and attic",
        "cure": "",
        "peer": "desk",
        "since": NOW - 14,
        "bytes": 2_457_442_066,
        "have": 1_104_857_600,
        "rate": 93_500_000,
        "by": "desk",
        "copies": [],
        "peers": [
            {"name": "desk", "reason": "same", "text": "", "cure": "", "since": None},
            {
                "name": "phone",
                "reason": "holder offline",
                "text": "phone is not connected since yesterday",
                "cure": "start leftzmq there",
                "since": NOW - 90_000,
            },
        ],
    }
    return {
        "status": everything(),
        "conflicts list": {"folder": "notes-p2m7", "copies": [copy], "after": ""},
        "conflicts show": {
            "folder": "notes-p2m7",
            "versions": [
                _version("letter.txt", "laptop", _LETTER, copy=False),
                _version(_COPY, "desk", theirs, copy=True),
            ],
        },
        "trash list": {"folder": "media-k3x9", "versions": taken, "after": ""},
        "invitations": {"invitations": [invitation]},
        "why": why,
        "doctor": {"findings": _findings()},
        "invite": {
            "code": "lz1-04e120yv3fcdgprt3fedt3mchr6wt31dkb-ppaqdcm20h4k5zhawtnfnd1mczhxzf8fdw1w",
            "mark": "cd34",
            "folder": "media-k3x9",
            "addresses": ["tcp://192.168.1.20:7710"],
            "left_out": 0,
            "port": 7710,
            "until": NOW + 600,
            "mode": "full",
        },
    }


async def taken(home: Path, place: Path) -> list[str]:
    """Take all pictures into `place`. Return what the browser complained about."""
    agent = FakeAgent(home / "state", answers())
    async with served(home / "state", agent) as site:
        address = f"http://{site.host}/?token={TOKEN}"
        work = asyncio.create_task(asyncio.to_thread(_visit, home / "browser", place, address))
        count, received = 0, 1_200_000_000
        while not work.done():
            await asyncio.sleep(0.5)
            count += 1
            status = everything()
            received += int(4.6e7 * (1 + 0.2 * (count % 3)))
            status["folders"][0]["received_bytes"] = received
            agent.answers["status"] = status
            if agent.topics and count % 4 == 0:
                fields = {"folder": "media-k3x9", "path": f"photos/{count}.jpg", "kind": "file"}
                told = {**fields, "size": 2_000_000, "deleted": False, "device": "desk"}
                await agent.tell(EventKind.FINISHED, told)
        return await work


def _visit(home: Path, place: Path, address: str) -> list[str]:
    with browser(home) as driver:
        page = Page(driver)
        driver.get(address)
        page.sees("films/summer-2026.mkv")
        time.sleep(8)
        for look, width, scheme in (
            ("light", 1280, "light"),
            ("dark", 1280, "dark"),
            ("360", 360, "light"),
        ):
            feature = [{"name": "prefers-color-scheme", "value": scheme}]
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            for view in VIEWS:
                _open(page, view)
                driver.save_screenshot(str(place / f"{view}-{look}.png"))
        return page.complaints()


def _open(page: Page, view: str) -> None:
    page.driver.execute_script("location.hash = arguments[0]", view)
    time.sleep(0.5)
    if view == "conflicts" and "Keep mine" not in page.text("#conflicts"):
        page.click("Compare")
        page.sees("Keep mine")
    if view == "why":
        page.driver.execute_script(
            "document.getElementById('why-path').value = 'films/summer-2026.mkv'"
        )
        page.click("Ask")
        page.sees("being fetched")
    if view == "problems":
        page.click("Check now")
        page.sees("1 check found nothing")
    if view == "invite" and "leftzmq join" not in page.text("#invitation"):
        page.click("Make an invitation")
        page.click("Make an invitation", "#ask")
        page.sees("same network", "#invitation")
    time.sleep(0.4)


def main() -> None:
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lzq-shots-") as home:
        complaints = asyncio.run(taken(Path(home), place))
    print("\n".join([f"the pictures are in {place}", *complaints]))


if __name__ == "__main__":
    main()
