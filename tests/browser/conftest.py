"""A browser, or the name of what is missing for one."""

from __future__ import annotations

import pytest

from tests.helpers.pages import CHROMIUM, DRIVER


@pytest.fixture(autouse=True)
def has_browser() -> None:
    pytest.importorskip("selenium", reason="selenium is missing: pip install -e '.[browser]'")
    for name, found in (("chromium", CHROMIUM), ("chromedriver", DRIVER)):
        if found is None:
            pytest.skip(f"{name} is missing: apt-get install chromium chromium-driver")
