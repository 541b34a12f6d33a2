"""A real browser that opens the page of a real agent."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leftzmq.cli.demo.stage import Actor
from tests.helpers import processes
from tests.helpers.web import TOKEN, FakeAgent, Site, served

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
DEADLINE_S = 20.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
)


class WebProcess:
    """`leftzmq web` of an agent, at a free port."""

    def __init__(self, config: Path, *words: str) -> None:
        command = [sys.executable, "-m", "leftzmq.cli.admin", "web", "-c", str(config)]
        self.process = processes.start(
            [*command, "--port", "0", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.base, _, self.token = self.address.partition("?token=")

    def end(self) -> tuple[int, str]:
        """Return the exit code, and what was written to stderr."""
        self.process.terminate()
        _, said = self.process.communicate(timeout=10)
        return self.process.returncode, said

    @property
    def rss_kib(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")


@contextmanager
def page_of(actor: Actor) -> Iterator[WebProcess]:
    web = WebProcess(actor.home / "peer.toml")
    try:
        yield web
    finally:
        code, said = web.end()
        print(f"--- leftzmq web of {actor.name}: {code}\n{said}")
        assert "Traceback" not in said and "ERROR" not in said


@contextmanager
def browser(home: Path, *flags: str) -> Iterator[Any]:
    """A Chromium without a window and without a past. home: for its files."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = CHROMIUM or ""
    for flag in (*_FLAGS, f"--user-data-dir={home}", *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        driver.set_window_size(1280, 900)
        yield driver
    finally:
        driver.quit()


Visit = Callable[["Page", "Site"], None]


def visited(home: Path, visit: Visit, agent: FakeAgent | None = None) -> None:
    """Open the page of a stand-in for an agent, with its key, and do what `visit` does."""

    async def played() -> None:
        async with served(home / "state", agent) as site:
            await asyncio.to_thread(opened, site)

    def opened(site: Site) -> None:
        with browser(home / "browser") as driver:
            driver.get(f"http://{site.host}/?token={TOKEN}")
            visit(Page(driver), site)

    asyncio.run(played())


class Page:
    """What a person does with the page. driver: of selenium."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def text(self, selector: str = "body") -> str:
        found = self.driver.execute_script(
            "return Array.from(document.querySelectorAll(arguments[0]))"
            ".filter((e) => e.checkVisibility()).map((e) => e.innerText).join('\\n')",
            selector,
        )
        return str(found)

    def until(self, holds: Callable[[], object], within_s: float = DEADLINE_S) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, within_s, 0.1).until(lambda _: holds())

    def sees(self, text: str, selector: str = "body") -> None:
        try:
            self.until(lambda: text in self.text(selector))
        except Exception as error:
            raise AssertionError(f"{text!r} is not in:\n{self.text(selector)}") from error

    def click(self, label: str, within: str = "body") -> None:
        """Click the button or link that has this text, or this aria-label."""
        script = """
            const within = document.querySelector(arguments[0]);
            const shown = (e) => e.checkVisibility();
            const all = Array.from(within.querySelectorAll("button, a")).filter(shown);
            return all.find((e) => e.innerText.trim() === arguments[1])
                ?? all.find((e) => e.getAttribute("aria-label") === arguments[1]) ?? null;
        """
        found: list[Any] = []
        self.until(lambda: found or self._find(script, within, label, found))
        found[0].click()

    def _find(self, script: str, within: str, label: str, found: list[Any]) -> bool:
        element = self.driver.execute_script(script, within, label)
        if element is not None:
            found.append(element)
        return bool(found)

    def keys(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        chain = ActionChains(self.driver)
        for key in keys:
            chain.send_keys(key)
        chain.perform()

    def complaints(self) -> list[str]:
        """Errors of the page, and what its policy kept back. That a request failed is none: the
        page says so itself."""
        log = self.driver.get_log("browser")
        return [
            one["message"]
            for one in log
            if one["level"] == "SEVERE" and "Failed to load resource" not in one["message"]
        ]
