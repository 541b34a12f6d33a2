"""The page in Chromium, before real agents: what a person sees and does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from tests.helpers.pages import Page, WebProcess, browser, page_of

SOON_S = 20.0
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage("AB", tmp_path / "stage") as stage:
        yield stage
        for actor in stage.actors:
            print(f"--- log of {actor.name}\n{actor.log_tail(40)}")


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Any]:
    with browser(tmp_path / "browser") as driver:
        yield driver


def soon(what: Any) -> None:
    assert wait_until(lambda: bool(what()), SOON_S)


def opened(driver: Any, web: WebProcess) -> Page:
    page = Page(driver)
    driver.get(web.address)
    page.sees("Folders")
    assert "token" not in driver.current_url and "key" not in driver.current_url
    return page


def conflict_at(a: Actor, b: Actor, name: str) -> None:
    """Both write the same path while neither sees the other."""
    b.stop()
    (a.share / name).write_text("one\ntwo of A\nthree\n")
    soon(lambda: a.status().get("files"))
    a.stop()
    (b.share / name).write_text("one\ntwo of B\nthree\n")
    b.start()
    soon(lambda: b.status().get("files"))
    a.start()
    soon(lambda: a.status().get("conflicts") == 1)


def test_the_first_sync_is_seen_live(stage: Stage, driver: Any) -> None:
    a, b = stage.actors
    a.start()
    with page_of(a) as web:
        page = opened(driver, web)
        page.sees("share", "#folders")
        page.sees("not connected", "#devices")
        (b.share / "album").mkdir(parents=True)
        for number in range(5):
            (b.share / "album" / f"{number}.jpg").write_bytes(os.urandom(20_000))
        (b.share / "film.mkv").write_bytes(os.urandom(60 << 20))
        b.start()
        page.sees("in sync", "#devices")
        page.sees("B: new file film.mkv", "#events")
        page.sees("6 files", "#folders")
        assert "album" in page.text("#events")
        received = page.text("main").split("received ")[1]
        assert "at most 0 B/s" not in received
        assert page.complaints() == []


def test_a_conflict_is_resolved_by_a_click(stage: Stage, driver: Any) -> None:
    a, b = stage.actors
    for actor in (a, b):
        actor.start()
    conflict_at(a, b, "letter.txt")
    with page_of(a) as web:
        page = opened(driver, web)
        driver.execute_script("location.hash = 'conflicts'")
        page.click("Compare")
        page.sees("two of A", "#conflicts")
        page.sees("two of B", "#conflicts")
        page.click("Keep theirs")
        page.sees("Keep theirs: letter.txt?", "#ask")
        page.click("Cancel", "#ask")
        assert a.status()["conflicts"] == 1
        page.click("Keep theirs")
        page.click("Keep theirs", "#ask")
        page.sees("letter.txt", "#said")
        page.sees("No conflict", "#main")
        soon(lambda: (a.share / "letter.txt").read_text() == "one\ntwo of B\nthree\n")
        soon(lambda: len(list(b.share.glob("letter*"))) == 1)
        assert page.complaints() == []


def test_a_deleted_folder_is_restored(stage: Stage, driver: Any) -> None:
    a, b = stage.actors
    (a.share / "photos" / "2024").mkdir(parents=True)
    for number in range(3):
        (a.share / "photos" / "2024" / f"{number}.jpg").write_bytes(b"x" * 100)
    for number in range(9):
        (a.share / f"{number}.txt").write_bytes(b"y" * 100)
    for actor in (a, b):
        actor.start()
    soon(lambda: b.status().get("files") == 12)
    for file in (b.share / "photos" / "2024").iterdir():
        file.unlink()
    (b.share / "photos" / "2024").rmdir()
    soon(lambda: not (a.share / "photos" / "2024").exists())
    with page_of(a) as web:
        page = opened(driver, web)
        driver.execute_script("location.hash = 'trash'")
        page.sees("0.jpg", "#trash")
        page.click("only photos/2024", "#trash")
        page.click("Restore all of photos/2024/")
        page.click("Restore", "#ask")
        page.sees("3 paths are back", "#said")
        soon(lambda: len(list((b.share / "photos" / "2024").glob("*.jpg"))) == 3)


def test_a_hostile_name_is_text(stage: Stage, driver: Any) -> None:
    a, b = stage.actors
    for actor in (a, b):
        actor.start()
    soon(lambda: a.status().get("shared_with"))
    with page_of(a) as web:
        page = opened(driver, web)
        (b.share / f"{HOSTILE}.txt").write_text("x")
        (b.share / "left\u202egpj.exe").write_text("x")
        page.sees(f"{HOSTILE}.txt", "#events")
        page.sees("left\\u202egpj.exe", "#events")
        assert driver.execute_script("return document.images.length") == 0
        assert "owned" not in driver.title and page.complaints() == []


def test_an_agent_and_a_server_that_go_are_said_and_found_again(stage: Stage, driver: Any) -> None:
    a, _ = stage.actors
    a.start()
    with page_of(a) as web:
        page = opened(driver, web)
        a.stop()
        page.sees("The agent is away", "#away")
        driver.refresh()
        page.sees("The agent is away", "#away")
        a.start()
        page.until(lambda: page.text("#away") == "")
        page.sees("share", "#folders")
        driver.refresh()
        page.sees("share", "#folders")
    page.sees("leftzmq web does not answer", "#away")
    with page_of(a) as other:  # its keys are others
        driver.get(other.base)
        page.sees("open the address that `leftzmq web` printed", "#away")
        driver.get(other.base + "?token=" + other.token[:-1])
        page.sees("the token is not the one of this state directory")
        driver.get(other.base)
        page.sees("open the address that `leftzmq web` printed", "#away")
        for view in ("now", "conflicts", "trash", "problems", "invite"):
            driver.execute_script(f"location.hash = '{view}'")
            assert not page.text("#main"), "nothing is known, so nothing is said"


def test_a_device_is_let_in_by_a_click(stage: Stage, driver: Any, tmp_path: Path) -> None:
    """The page of A makes an invitation, another machine joins with its code, A's user says yes."""
    from tests.helpers.machines import Machine

    a, _ = stage.actors
    a.share.mkdir(exist_ok=True)
    (a.share / "here.txt").write_text("of A")
    a.start()
    other = Machine("gamma", tmp_path)
    with page_of(a) as web:
        page = opened(driver, web)
        driver.execute_script("location.hash = 'invite'")
        page.sees("Address from outside")
        uses = driver.find_element("css selector", "input[type=number]")
        address = driver.find_element("css selector", "input[placeholder]")
        for wrong in ("0", "63", "1.5", ""):
            uses.clear()
            uses.send_keys(wrong)
            page.click("Make an invitation", "#main")
            assert not driver.execute_script("return document.getElementById('ask').open"), wrong
        uses.clear()
        uses.send_keys("1")
        address.send_keys("no address:x")
        page.click("Make an invitation", "#main")
        page.click("Make an invitation", "#ask")
        page.sees("write HOST or HOST:PORT", "#said > .is-bad")
        address.clear()
        address.send_keys("localhost")
        page.click("Make an invitation", "#main")
        page.click("Make an invitation", "#ask")
        page.sees("leftzmq join lz", "#invitation")
        assert not page.text("#said > .is-bad"), "it is not wrong any more"
        page.until(
            lambda: driver.execute_script(
                "return document.querySelectorAll('.qr rect').length > 50"
            )
        )
        page.sees("@localhost", "#invitation-words")
        code = page.text("#invitation-code").split()[-1]
        joining = other.start("join", code, "here")
        try:
            driver.execute_script("location.hash = 'now'")
            page.sees("gamma", "#knocks")
            page.click("Let in", "#knocks")
            page.sees("compare it", "#ask")
            page.click("Let it in", "#ask")
            page.sees("gamma is let in", "#said")
            soon(lambda: other.has("here/here.txt", b"of A"))
            page.sees("gamma", "#devices")
        finally:
            joining.terminate()
            joining.communicate(timeout=10)
            other.down()
