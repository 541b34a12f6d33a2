"""The page in Chromium, before a stand-in for the agent: looks, keys, hostile names and pages."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.browser.screenshots import VIEWS, answers
from tests.helpers.pages import Page, visited
from tests.helpers.web import TOKEN, FakeAgent, Site, a_folder, a_status

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"


def all_views(page: Page) -> Iterator[str]:
    for view in VIEWS:
        page.driver.execute_script("location.hash = arguments[0]", view)
        page.until(
            lambda: page.driver.execute_script("return document.activeElement.tabIndex === -1")
        )
        yield view


def test_nothing_is_wider_than_360_pixels(tmp_path: Path) -> None:
    def visit(page: Page, site: Site) -> None:
        page.sees("films/summer-2026.mkv")
        size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for view in all_views(page):
            if view == "conflicts":
                page.click("Compare")
                page.sees("half past eight")
            if view == "why":
                page.driver.execute_script("document.getElementById('why-path').value = 'x'")
                page.click("Ask")
                page.sees("is being fetched")
            width = page.driver.execute_script("return document.documentElement.scrollWidth")
            assert width <= 360, view
        assert page.complaints() == []

    found = answers()
    long = "a" * 230
    found["status"]["folders"][0]["under_way"][0]["path"] += long
    found["status"]["folders"][0]["problem_list"][0]["text"] += long
    found["status"]["peers"][2]["note"] += long
    for verb, name in (("conflicts list", "copies"), ("trash list", "versions")):
        found[verb][name][0]["path"] += f"{long}/{long}"
    found["why"]["text"] += long
    visited(tmp_path, visit, FakeAgent(tmp_path / "state", found))


def hostile(value: Any) -> Any:
    """The same answer, with the hostile text at the end of every text that the page does not
    compare with a word of its own."""
    words = {
        "good",
        "bad",
        "note",
        "file",
        "symlink",
        "open",
        "FETCHING",
        "full",
        "both",
        "in sync",
        "syncing",
        "behind",
    }
    match value:
        case dict():
            return {key: hostile(item) for key, item in value.items()}
        case list():
            return [hostile(item) for item in value]
        case str() if value and value not in words and not value.startswith("2026"):
            return value + HOSTILE
    return value


def test_every_text_of_an_answer_is_text_on_the_page(tmp_path: Path) -> None:
    found = {verb: hostile(answer) for verb, answer in answers().items()}
    agent = FakeAgent(tmp_path / "state", found)
    agent.answers["accept"] = {"declined": {"what": HOSTILE, "where": HOSTILE, "do": HOSTILE}}

    def visit(page: Page, site: Site) -> None:
        driver = page.driver
        page.sees("films/summer-2026.mkv")
        for view in all_views(page):
            if view == "conflicts":
                page.click("Compare")
                page.sees("half past eight")
            if view == "why":
                driver.execute_script("document.getElementById('why-path').value = 'x'")
                page.click("Ask")
                page.sees("is being fetched")
            if view == "invite":
                page.click("Make an invitation", "#main")
                page.click("Make an invitation", "#ask")
                page.sees("leftzmq join", "#invitation")
            if view == "problems":
                page.click("Check now")
                page.sees("it cannot reach us")
            if view == "now":
                page.click("Accept", "#main")
                page.click("Accept", "#ask")
            page.sees("<img src=x", "#main")
        page.sees("<img src=x", "#said")
        assert driver.execute_script("return document.images.length") == 0
        scripts = "return document.querySelectorAll('script').length"
        assert driver.execute_script(scripts) == 1
        assert driver.title != "owned" and page.complaints() == []

    visited(tmp_path, visit, agent)


def test_all_of_it_is_done_with_the_keys(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path / "state", answers())
    agent.answers["pause"] = {"folders": [], "peers": []}
    agent.answers["conflicts resolve"] = {
        "folder": "notes-p2m7",
        "copy": "c",
        "path": "letter.txt",
        "kept": "copy",
    }

    def visit(page: Page, site: Site) -> None:
        driver = page.driver

        def focused() -> str:
            script = "const e = document.activeElement; return e.ariaLabel ?? e.innerText"
            return str(driver.execute_script(script)).strip()

        def tab_to(label: str, most: int = 40) -> None:
            for _ in range(most):
                if focused() == label:
                    ring = "return getComputedStyle(document.activeElement).outlineStyle"
                    assert driver.execute_script(ring) != "none", label
                    return
                page.keys(TAB)
            raise AssertionError(f"{label} is not reached; at {focused()}")

        page.sees("films/summer-2026.mkv")
        page.keys(TAB)
        assert focused() == "To the content"
        tab_to("Pause media-k3x9")
        page.keys(ENTER)
        page.sees("Pause media-k3x9?", "#ask")
        assert focused() == "Cancel"  # what comes first changes nothing
        page.keys(ESCAPE)
        page.until(lambda: not driver.execute_script("return document.getElementById('ask').open"))
        assert focused() == "Pause media-k3x9" and agent.count("pause") == 0
        page.keys(ENTER)
        tab_to("Pause")
        page.keys(ENTER)
        page.sees("media-k3x9 is paused", "#said")
        assert ("pause", {"folder": "media-k3x9"}) in agent.asked
        driver.refresh()
        page.sees("films/summer-2026.mkv")
        link = driver.find_element("css selector", "#views a[href='#conflicts']")
        tab_to(link.text)
        page.keys(ENTER)
        page.sees("letter.txt", "#conflicts")
        tab_to("Compare")
        page.keys(ENTER)
        page.sees("half past eight")
        tab_to("Keep theirs")
        page.keys(ENTER)
        tab_to("Keep theirs")
        page.keys(ENTER)
        page.sees("letter.txt is now what the copy was", "#said")
        assert agent.count("conflicts resolve") == 1

    visited(tmp_path, visit, agent)


def test_the_focus_stays_while_the_page_changes(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path / "state", answers())
    agent.answers["status"] = a_status(a_folder("b"), a_folder("c"))

    def visit(page: Page, site: Site) -> None:
        page.sees("3 files", "#folders")
        script = "document.querySelector('[aria-label=\"Pause c\"]').focus()"
        page.driver.execute_script(script)
        label = "return document.activeElement.ariaLabel"
        for files, names in ((4, "acd"), (5, "dac"), (6, "ca")):
            folders = [a_folder(name, files=files) for name in names]
            agent.answers["status"] = a_status(*folders)
            page.sees(f"{files} files", "#folders")
            assert page.driver.execute_script(label) == "Pause c"
            assert page.text("#folders h3") == "\n".join(names)

    visited(tmp_path, visit, agent)


def test_the_speed_is_measured_in_every_view(tmp_path: Path) -> None:
    """It was measured while its own view was open, and the rest came at once on the way back."""
    agent = FakeAgent(tmp_path / "state", answers())
    began = time.monotonic()
    agent.answers["status"] = lambda _: a_status(
        a_folder(received_bytes=int(1e6 * (time.monotonic() - began)))
    )

    def visit(page: Page, site: Site) -> None:
        page.sees("docs", "#folders")
        page.driver.execute_script("location.hash = 'trash'")
        time.sleep(8)
        page.driver.execute_script("location.hash = 'now'")
        time.sleep(2.5)
        most = page.text(".legend").split("at most ")[1]
        assert most.split()[1] in ("KB/s", "MB/s")
        number = float(most.split()[0]) * (1e3 if most.split()[1] == "KB/s" else 1e6)
        assert 0.6e6 < number < 2.2e6, most

    visited(tmp_path, visit, agent)


# -- a page of somebody else ------------------------------------------------------------------


EVIL = (Path(__file__).parent / "evil.html").read_text()


@contextmanager
def evil_server(host: str) -> Iterator[tuple[str, list[str]]]:
    """A server of another user of this machine. Yields its port, and the cookies that came."""
    cookies: list[str] = []

    class Evil(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cookies.append(self.headers.get("Cookie", ""))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(EVIL.replace("HOST", json.dumps(f"http://{host}")).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield str(server.server_address[1]), cookies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_page_of_somebody_else_reads_and_changes_nothing(tmp_path: Path) -> None:
    """Another port of this host: browsers send it our cookie, and take it for the same site."""
    agent = FakeAgent(tmp_path / "state")

    def visit(page: Page, site: Site) -> None:
        page.sees("docs", "#folders")
        driver = page.driver
        with evil_server(site.host) as (port, cookies):
            for name in ("127.0.0.1", "localhost"):
                driver.get("about:blank")
                page.until(lambda: site.watch.tabs == 0)
                asked = len(agent.asked)
                driver.get(f"http://{name}:{port}/")
                page.until(lambda: driver.title.startswith("["))
                said = dict(json.loads(driver.title))
                assert len(said) == 9
                assert "alpha" not in driver.title and "docs" not in driver.title
                assert said["read"] == said["key"] == said["application/json"] == "failed"
                assert said["stream"] == said["script"] == "failed"
                assert len(agent.asked) == asked, agent.asked[asked:]
            # It has the cookie, and whatever it does with it itself, it is worth nothing.
            assert site.keys.cookie in cookies[0]
            own = {"Cookie": cookies[0], "Origin": f"http://{site.host}"}
            for path in ("status", "stream", "invitations"):
                answer = httpx.get(
                    f"http://{site.host}/api/v1/{path}", headers=own, trust_env=False
                )
                assert answer.status_code == 403
            assert len(agent.asked) == asked
            assert TOKEN not in "".join(cookies) and site.keys.page not in "".join(cookies)

    visited(tmp_path, visit, agent)


# -- the modules ------------------------------------------------------------------------------

CHECKS = (Path(__file__).parent / "modules.js").read_text()


def test_differences_and_numbers_are_right(tmp_path: Path) -> None:
    def visit(page: Page, site: Site) -> None:
        assert page.driver.execute_async_script(CHECKS) == ""

    visited(tmp_path, visit)
