"""Who is let in by the head of a request, and what is refused."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from leftzmq.errors import KeyFileError
from leftzmq.web.access import PAGE_HEADER, Denied, Keys, RequestHead, ServedAt, judge, load_token

PLACE = ServedAt("http", "127.0.0.1:7780", frozenset({"localhost:7780"}))
KEYS = Keys("T" * 32, "C" * 32, "P" * 32)
PROGRAM = {"host": "127.0.0.1:7780", "authorization": f"Bearer {KEYS.token}"}
PAGE = {
    "host": "127.0.0.1:7780",
    "cookie": f"a=1; leftzmq_7780={KEYS.cookie}",
    "origin": "http://127.0.0.1:7780",
    "sec-fetch-site": "same-origin",
    "content-type": "application/json",
    PAGE_HEADER: KEYS.page,
}


def judged(method: str, headers: dict[str, str], **changed: str | None) -> Denied | None:
    spelled = {key.replace("_", "-"): value for key, value in changed.items()}
    all_of_them = {**headers, **spelled}
    kept = {key: value for key, value in all_of_them.items() if value is not None}
    return judge(RequestHead(method, kept), PLACE, KEYS, "leftzmq_7780")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_program_with_the_token_and_our_own_page_are_let_in(method: str) -> None:
    assert judged(method, PROGRAM, content_type="application/json") is None
    assert judged(method, PAGE) is None
    local = {"host": "localhost:7780", "origin": "http://localhost:7780"}
    assert judged(method, PAGE, **local) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:7780",
        "127.0.0.1",
        "127.0.0.1:7781",
        "127.0.0.1:7780, evil.example",
        "",
        None,
        "127.0.0.1:7780.evil.example",
    ],
)
@pytest.mark.parametrize("headers", [PROGRAM, PAGE])
def test_another_host_is_refused_whoever_asks(host: str | None, headers: dict[str, str]) -> None:
    assert judged("GET", headers, host=host) is Denied.OTHER_HOST


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1:7781",
        "https://127.0.0.1:7780",
        "http://127.0.0.1",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("headers", [PROGRAM, PAGE])
def test_another_origin_is_refused_whoever_asks(
    origin: str, method: str, headers: dict[str, str]
) -> None:
    assert judged(method, headers, origin=origin) is Denied.OTHER_ORIGIN


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_names_another_site_is_refused(site: str) -> None:
    assert judged("GET", PAGE, sec_fetch_site=site, origin=None) is Denied.OTHER_ORIGIN


def test_without_token_and_cookie_nothing_is_answered() -> None:
    assert judged("GET", {"host": PLACE.host}) is Denied.NO_TOKEN
    assert judged("GET", PAGE, cookie=None) is Denied.NO_TOKEN
    assert judged("GET", PAGE, cookie="leftzmq_7781=" + KEYS.cookie) is Denied.NO_TOKEN


@pytest.mark.parametrize("token", ["", "x", KEYS.token[:-1], KEYS.token + "x", "é", KEYS.cookie])
def test_a_wrong_token_is_refused(token: str) -> None:
    wrong = {"authorization": f"Bearer {token}"}
    assert judged("GET", PROGRAM, **wrong) is Denied.WRONG_TOKEN
    assert judged("GET", PAGE, **wrong) is Denied.WRONG_TOKEN


def test_the_cookie_alone_opens_nothing() -> None:
    """A browser sends it to each port of this host: a server of another user may have it."""
    for page in (None, "", KEYS.cookie, KEYS.token, KEYS.page[:-1]):
        said = {PAGE_HEADER.replace("-", "_"): page}
        assert judged("GET", PAGE, **said) is Denied.NOT_OUR_PAGE
        assert judged("POST", PAGE, **said) is Denied.NOT_OUR_PAGE
    assert judged("GET", PAGE, cookie=f"leftzmq_7780={KEYS.page}") is Denied.NO_TOKEN


def test_a_change_by_a_page_names_its_origin() -> None:
    assert judged("POST", PAGE, origin=None) is Denied.OTHER_ORIGIN
    assert judged("GET", PAGE, origin=None) is None  # browsers do not name it there


@pytest.mark.parametrize(
    "kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
@pytest.mark.parametrize("headers", [PROGRAM, PAGE])
def test_a_change_is_json(kind: str | None, headers: dict[str, str]) -> None:
    assert judged("POST", headers, content_type=kind) is Denied.NOT_JSON
    assert judged("DELETE", headers, content_type=kind) is Denied.NOT_JSON
    assert judged("POST", headers, content_type="application/json; charset=utf-8") is None


def test_cookies_of_other_servers_do_not_hide_ours() -> None:
    odd = f'x="; {{"a": 1}}; =; leftzmq_7780={KEYS.cookie}; b'
    assert judged("GET", PAGE, cookie=odd) is None


# -- the token --------------------------------------------------------------------------------


def test_the_token_is_made_once_and_is_of_this_user_alone(tmp_path: Path) -> None:
    token = load_token(tmp_path)
    assert len(token) == 32 and load_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "web.token").stat().st_mode) == 0o600
    new = load_token(tmp_path, new=True)
    assert new != token and load_token(tmp_path) == new
    assert stat.S_IMODE((tmp_path / "web.token").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "short", "x" * 31, "a" * 31 + '"', "<" * 32])
def test_a_broken_token_is_no_token(tmp_path: Path, text: str) -> None:
    (tmp_path / "web.token").write_text(text)
    (tmp_path / "web.token").chmod(0o600)
    with pytest.raises(KeyFileError, match="is no token"):
        load_token(tmp_path)
    assert len(load_token(tmp_path, new=True)) == 32


def test_a_token_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_token(tmp_path)
    (tmp_path / "web.token").chmod(0o644)
    with pytest.raises(KeyFileError, match="by others"):
        load_token(tmp_path)


def test_keys_of_two_runs_are_not_the_same() -> None:
    one, two = Keys.of("t"), Keys.of("t")
    assert len({one.cookie, one.page, two.cookie, two.page}) == 4
