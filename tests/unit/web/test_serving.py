"""The page and its routes as they are served over real sockets, before a stand-in for the agent."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from leftzmq.errors import PortTaken
from leftzmq.web.exposition import CONTENT_TYPE
from leftzmq.web.gate import MAX_BODY_BYTES, POLICY
from leftzmq.web.server import UNSENT_S, bind
from leftzmq.web.verbs import ROUTES
from leftzmq.web.watch import MOST_IN_BATCH, MOST_TABS, SHOWN_KINDS
from leftzmq.wire.local import EventKind
from tests.helpers.web import TOKEN, FakeAgent, FakeWords, Site, a_folder, a_status, served

pytestmark = pytest.mark.slow  # servers and sockets

Story = Callable[[Site], Awaitable[None]]


def play(state: Path, story: Story, agent: FakeAgent | None = None, slow_s: float = 10.0) -> None:
    async def played() -> None:
        async with asyncio.timeout(30), served(state, agent, slow_s) as site:
            await story(site)

    asyncio.run(played())


async def until(holds: Callable[[], object]) -> None:
    while not holds():
        await asyncio.sleep(0.02)


class Stream:
    """What a page hears."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self, kind: str) -> Any:
        """Return the next message of this kind."""
        name = ""
        async for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name == kind:
                return json.loads(line.removeprefix("data: "))
        raise AssertionError("the stream is over")


# -- who is let in ------------------------------------------------------------------------------


def test_the_token_in_the_address_becomes_a_cookie_and_a_key(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        answer = await site.client.get("/", params={"token": TOKEN})
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/#key={site.keys.page}"
        crumb = answer.headers["set-cookie"]
        assert crumb.startswith(f"leftzmq_{site.port}={site.keys.cookie};")
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(crumb.split("; "))
        assert TOKEN not in str(answer.headers) + answer.text
        wrong = await site.client.get("/", params={"token": TOKEN[:-1]})
        assert wrong.status_code == 401 and "set-cookie" not in wrong.headers
        elsewhere = await site.client.get("/", params={"token": TOKEN}, headers={"Host": "evil"})
        assert elsewhere.status_code == 421 and "set-cookie" not in elsewhere.headers

    play(tmp_path / "s", story)


def test_whoever_asks_gets_the_page_and_nothing_else(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        for path in ("/", "/page/app.js", "/page/style.css", "/healthz"):
            assert (await site.client.get(path)).status_code == 200, path
        closed = [f"/api/v1{route.path}" for route in ROUTES]
        closed += ["/api/v1/stream", "/api/v1/openapi.json", "/readyz", "/metrics", "/synced"]
        closed += ["/nothing"]
        for path in closed:
            assert (await site.client.get(path)).status_code == 401, path
            refused = await site.client.post(path, json={})
            assert refused.status_code == 401, path
        assert site.agent.asked == []

    play(tmp_path / "s", story)


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/api/v1/status", "/healthz", "/nothing"])
def test_every_response_says_what_a_browser_may_do_with_it(tmp_path: Path, path: str) -> None:
    async def story(site: Site) -> None:
        for headers in ({}, site.program, {"Host": "evil.example"}):
            answer = await site.client.get(path, headers=headers)
            said = answer.headers
            assert said["content-security-policy"] == POLICY
            assert said["x-content-type-options"] == "nosniff"
            assert said["referrer-policy"] == "no-referrer"
            assert said["cache-control"] == "no-store"
            assert "access-control-allow-origin" not in said and "server" not in said

    play(tmp_path / "s", story)


def test_a_page_of_another_origin_changes_and_reads_nothing(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        evil = {**site.browser, "Origin": "http://evil.example"}
        plain = {"Cookie": site.browser["Cookie"]}
        for headers in (evil, plain, {**plain, "Origin": f"http://{site.host}"}):
            for path, body in (("/api/v1/accept", {"folder": "docs"}), ("/api/v1/pause", {})):
                answer = await site.client.post(path, json=body, headers=headers)
                assert answer.status_code == 403, headers
            assert (await site.client.get("/api/v1/status", headers=headers)).status_code == 403
            assert (await site.client.get("/api/v1/stream", headers=headers)).status_code == 403
        asked = await site.client.options(
            "/api/v1/accept", headers={"Origin": "http://evil.example"}
        )
        assert asked.status_code == 403
        assert site.agent.asked == []

    play(tmp_path / "s", story)


def test_a_path_leads_out_of_the_page_nowhere(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        paths = (
            b"../app.py",
            b"..%2fapp.py",
            b"/etc/passwd",
            b"%00",
            b"../api/v1/status",
            b"",
            b"x",
        )
        for path in (b"/page/" + name for name in paths):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            host = site.host.encode()
            writer.write(b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (path, host))
            said = await reader.read()
            writer.close()
            assert said.startswith(b"HTTP/1.1 401"), path
        for path in ("/page/../app.py", "/page/nothing.js", "/page/"):
            answer = await site.client.get(path, headers=site.program)
            assert answer.status_code == 404, path

    play(tmp_path / "s", story)


# -- questions and changes ----------------------------------------------------------------------


def test_answers_are_passed_on_field_for_field(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path / "s")
    hostile = "<img src=x onerror=alert(1)>\u202e\x1b[31m\\udce9"
    page = {"folder": "docs", "problems": [], "hidden": 0, "after": "", "not known here": hostile}
    agent.answers["problems"] = page

    async def story(site: Site) -> None:
        for headers in (site.program, site.browser):
            query = {"folder": hostile, "after": "3"}
            answer = await site.client.get("/api/v1/problems", params=query, headers=headers)
            assert answer.status_code == 200 and answer.json() == page
            assert answer.headers["content-type"] == "application/json"
        assert agent.asked == [("problems", {"folder": hostile, "after": "3"})] * 2

    play(tmp_path / "s", story, agent)


def test_a_change_has_the_fields_of_its_body(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path / "s")
    agent.answers["pause"] = {"folders": [], "peers": []}

    async def story(site: Site) -> None:
        body = {"folder": "docs", "for_s": 90}
        answer = await site.client.post("/api/v1/pause", json=body, headers=site.browser)
        assert answer.status_code == 200 and agent.asked == [("pause", body)]
        got = await site.client.get("/api/v1/pause", headers=site.program)
        assert got.status_code == 405

    play(tmp_path / "s", story, agent)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is no JSON"),
        (b"{", "the body is no JSON"),
        (b"[" * 30_000, "the body is no JSON"),
        (b"[]", "the body is no JSON object"),
        (b'{"folder": 1}', "folder: is no text"),
        (b'{"folder": null}', "folder: is no text"),
        (b'{"for_s": "90"}', "for_s: is no number"),
        (b'{"for_s": true}', "for_s: is no number"),
        (b'{"for_s": 1e999}', "the body is no JSON"),
        (b'{"for_s": 123456789012345678901234567890}', "for_s: is no number"),
        (b'{"what": 1}', "what: there is no such field (there is folder, peer, for_s)"),
        (b"\xff\xfe", "the body is no JSON"),
    ],
)
def test_a_wrong_body_is_a_sentence(tmp_path: Path, body: bytes, said: str) -> None:
    async def story(site: Site) -> None:
        headers = {**site.browser, "Content-Type": "application/json"}
        answer = await site.client.post("/api/v1/pause", content=body, headers=headers)
        assert answer.status_code == 400 and answer.json() == {"error": said}
        assert site.agent.asked == []

    play(tmp_path / "s", story)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        answer = await site.client.get("/api/v1/conflicts/show", headers=site.program)
        assert answer.status_code == 400 and answer.json() == {"error": "path: is missing"}
        for path in ("/invite", "/join-yes", "/join-no"):  # never the only one by chance
            answer = await site.client.post(f"/api/v1{path}", json={}, headers=site.program)
            assert answer.status_code == 400 and answer.json() == {"error": "folder: is missing"}
        after = await site.client.get("/api/v1/events?after=x", headers=site.program)
        assert after.status_code == 400 and after.json() == {"error": "after: is no number"}

    play(tmp_path / "s", story)


def test_too_large_a_body_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        headers = {**site.browser, "Content-Type": "application/json"}
        large = b'{"folder": "' + b"x" * MAX_BODY_BYTES + b'"}'
        answer = await site.client.post("/api/v1/accept", content=large, headers=headers)
        assert answer.status_code == 413

        async def pieces() -> Any:  # no length is said before
            for _ in range(80):
                yield b"x" * 1024

        answer = await site.client.post("/api/v1/accept", content=pieces(), headers=headers)
        assert answer.status_code == 413
        assert site.agent.asked == []

    play(tmp_path / "s", story)


def test_what_the_agent_declines_or_does_not_know_has_a_status(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path / "s")
    no = {"declined": {"what": "the folder is held", "where": "docs", "do": ""}}
    agent.answers["accept"] = no

    async def story(site: Site) -> None:
        answer = await site.client.post("/api/v1/accept", json={}, headers=site.browser)
        assert answer.status_code == 409 and answer.json() == no
        answer = await site.client.get("/api/v1/fleet", headers=site.browser)
        assert answer.status_code == 501 and "does not know" in answer.json()["error"]

    play(tmp_path / "s", story, agent)


OPENED = {
    "code": "lz1-04e120",
    "mark": "ab12",
    "folder": "docs",
    "addresses": ["tcp://192.0.2.7:7710"],
    "left_out": 0,
    "port": 7710,
    "until": 4e9,
    "mode": "full",
}


def test_the_words_of_an_invitation_are_answered_until_it_is_over(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path / "s", {"invite": OPENED, "invite_cancel": {"cancelled": 1}})

    async def story(site: Site) -> None:
        async def posted(path: str, fields: dict[str, Any]) -> httpx.Response:
            return await site.client.post(f"/api/v1{path}", json=fields, headers=site.browser)

        unknown = await posted("/words", {"mark": "ab12"})
        assert unknown.status_code == 503 and "no invitation" in unknown.json()["error"]
        await posted("/invite", {"folder": "docs", "uses": 3})
        assert site.offered == []
        for _ in range(2):
            said = await posted("/words", {"mark": "ab12"})
            assert said.json()["words"] == "4 tiger-lamp-ocean"
        (words,) = site.offered
        assert (words.opened, words.uses, words.is_closed) == (OPENED, 3, False)
        await posted("/invite/cancel", {"folder": "other"})
        assert not words.is_closed
        await posted("/invite/cancel", {})
        assert words.is_closed
        agent.answers["invite"] = {**OPENED, "until": 5.0}
        await posted("/invite", {"folder": "docs"})
        assert (await posted("/words", {"mark": "ab12"})).status_code == 503
        agent.answers["invite"] = OPENED
        await posted("/invite", {"folder": "docs"})
        await posted("/words", {"mark": "ab12"})

    offered: list[FakeWords] = []

    async def to_the_end(site: Site) -> None:
        await story(site)
        offered.extend(site.offered)

    play(tmp_path / "s", to_the_end, agent)
    assert len(offered) == 2 and all(words.is_closed for words in offered)


def test_a_text_becomes_squares(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        for text, status in (
            ("lz1-04e120", 200),
            ("x" * 1025, 503),
            ("\N{GRINNING FACE}" * 1000, 503),
        ):
            answer = await site.client.post("/api/v1/qr", json={"text": text}, headers=site.browser)
            assert answer.status_code == status, text
        answer = await site.client.post("/api/v1/qr", json={"text": "A"}, headers=site.browser)
        rows = answer.json()["rows"]
        assert len(rows) == 25 and {len(row) for row in rows} == {25}
        assert rows[0] == "0" * 25 and rows[2].startswith("00" + "1" * 7 + "0")

    play(tmp_path / "s", story)


def test_figures_are_served_as_prometheus_reads_them(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path / "s")
    sample = {"labels": {"folder": 'a"b'}, "value": 3.0}
    figure = {
        "name": "leftzmq_files",
        "kind": "gauge",
        "help": "h",
        "unit": "",
        "samples": [sample],
    }
    agent.answers["metrics"] = {"metrics": [figure]}

    async def story(site: Site) -> None:
        assert (await site.client.get("/metrics")).status_code == 401
        for _ in range(3):
            answer = await site.client.get("/metrics", headers=site.program)
            assert answer.status_code == 200 and answer.headers["content-type"] == CONTENT_TYPE
            assert 'leftzmq_files{folder="a\\"b"} 3.0' in answer.text
            assert "leftzmq_up 1.0" in answer.text
        assert agent.count("metrics") == 1
        agent.stop()
        await asyncio.sleep(1.1)
        answer = await site.client.get("/metrics", headers=site.program)
        assert answer.status_code == 200 and "leftzmq_up 0.0" in answer.text

    play(tmp_path / "s", story, agent)


# -- pages that look ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_agent_is_asked_once_a_second_for_all_pages_and_not_at_all_for_none(
    tmp_path: Path,
) -> None:
    async def story(site: Site) -> None:
        await asyncio.sleep(0.3)
        assert site.agent.asked == [] and not site.agent.topics
        responses = [
            await site.client.send(
                site.client.build_request("GET", "/api/v1/stream", headers=site.browser),
                stream=True,
            )
            for _ in range(8)
        ]
        streams = [Stream(response) for response in responses]
        for stream in streams:
            assert (await stream.next("status"))["device"] == "alpha"
        await until(lambda: len(site.agent.topics) == len(SHOWN_KINDS))
        before = site.agent.count("status")
        for _ in range(20):
            assert (await site.client.get("/readyz", headers=site.program)).status_code == 200
            await asyncio.sleep(0.1)
        assert site.agent.count("status") - before <= 3
        assert site.agent.count("events") == 1
        for response in responses:
            await response.aclose()
        await until(lambda: site.watch.tabs == 0 and not site.agent.topics)
        asked = len(site.agent.asked)
        await asyncio.sleep(1.3)
        assert len(site.agent.asked) == asked

    play(tmp_path / "s", story)


def test_a_change_of_the_status_and_events_are_seen_at_once(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        async with site.client.stream("GET", "/api/v1/stream", headers=site.browser) as response:
            stream = Stream(response)
            await stream.next("status")
            await until(lambda: len(site.agent.topics) == len(SHOWN_KINDS))
            await site.agent.tell(EventKind.SCAN, {"folder": "docs", "path": "<b>"})
            said = await stream.next("events")
            assert said["events"] == [["scan", 1, 1001.0, {"folder": "docs", "path": "<b>"}]]
            site.agent.answers["status"] = a_status(a_folder(files=4))
            assert (await stream.next("status"))["folders"][0]["files"] == 4

    play(tmp_path / "s", story)


@pytest.mark.slow
def test_an_agent_that_goes_and_comes_is_told(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        async with site.client.stream("GET", "/api/v1/stream", headers=site.browser) as response:
            stream = Stream(response)
            await stream.next("status")
            site.agent.stop()
            assert "no agent runs" in (await stream.next("away"))["error"]
            answer = await site.client.get("/api/v1/peers", headers=site.browser)
            assert answer.status_code == 503 and "no agent runs" in answer.json()["error"]
            assert (await site.client.get("/healthz")).status_code == 200
            ready = await site.client.get("/readyz", headers=site.program)
            assert ready.status_code == 503 and "no agent runs" in ready.text
            site.agent.began, site.agent.number = 200.0, 0
            site.agent.start()
            assert (await stream.next("status"))["device"] == "alpha"
            await until(lambda: len(site.agent.topics) == len(SHOWN_KINDS))
            await site.agent.tell(EventKind.READY, {})
            said = await stream.next("events")
            assert (said["began"], said["events"][0][1]) == (200.0, 1)

    play(tmp_path / "s", story)


@pytest.mark.parametrize("answer", [{"error": "no"}, {"device": "alpha"}, {"folders": 3}])
def test_an_agent_of_another_version_is_said(tmp_path: Path, answer: dict[str, Any]) -> None:
    async def story(site: Site) -> None:
        async with site.client.stream("GET", "/api/v1/stream", headers=site.browser) as response:
            assert "of another version" in (await Stream(response).next("away"))["error"]
        status = await site.client.get("/api/v1/status", headers=site.browser)
        assert status.status_code == 503 and "of another version" in status.json()["error"]

    play(tmp_path / "s", story, FakeAgent(tmp_path / "s", {"status": answer}))


def test_a_flood_of_events_is_told_in_bounded_messages(tmp_path: Path) -> None:
    """The agent's socket holds some, the page is told how many it does not see, and none twice."""

    async def story(site: Site) -> None:
        async with site.client.stream("GET", "/api/v1/stream", headers=site.browser) as response:
            stream = Stream(response)
            await stream.next("status")
            await until(lambda: len(site.agent.topics) == len(SHOWN_KINDS))
            for number in range(1500):
                await site.agent.tell(EventKind.SCAN, {"folder": "docs", "path": str(number)})
            seen, missed = [], 0
            while not seen or seen[-1] < 1500:
                said = await stream.next("events")
                assert len(said["events"]) <= MOST_IN_BATCH
                seen += [number for _, number, _, _ in said["events"]]
                missed += said["missed"]
            assert seen == sorted(set(seen)) and len(seen) + missed == 1500 and missed > 0
        tab = site.watch.join()
        assert tab is not None

    play(tmp_path / "s", story)


def test_an_event_that_was_asked_for_and_heard_is_told_once(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path / "s")
    old = [["scan", number, 1.0, {"folder": "docs"}] for number in (1, 2, 3)]
    agent.answers["events"] = {"began": agent.began, "events": old}

    async def story(site: Site) -> None:
        async with site.client.stream("GET", "/api/v1/stream", headers=site.browser) as response:
            stream = Stream(response)
            seen = [event[1] for event in (await stream.next("events"))["events"]]
            await until(lambda: len(site.agent.topics) == len(SHOWN_KINDS))
            for _ in range(5):
                await site.agent.tell(EventKind.SCAN, {"folder": "docs"})
            while seen[-1] < 5:
                seen += [event[1] for event in (await stream.next("events"))["events"]]
            assert seen == [1, 2, 3, 4, 5]

    play(tmp_path / "s", story, agent)


def test_who_knocks_is_told(tmp_path: Path) -> None:
    agent = FakeAgent(tmp_path / "s")

    async def story(site: Site) -> None:
        async with site.client.stream("GET", "/api/v1/stream", headers=site.browser) as response:
            stream = Stream(response)
            assert await stream.next("invitations") == {"invitations": []}
            agent.answers["invitations"] = {"invitations": [{"mark": "ab"}]}
            assert (await stream.next("invitations"))["invitations"] == [{"mark": "ab"}]

    play(tmp_path / "s", story, agent)


# -- bounds ---------------------------------------------------------------------------------------


def test_a_connection_that_says_nothing_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leftzmq.web.server.HEAD_S", 0.3)

    async def story(site: Site) -> None:
        for said in (b"", b"GET / HTTP/1.1\r\nHost: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(said)
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 3) == b""
            writer.close()

    play(tmp_path / "s", story)


def test_a_body_that_does_not_come_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leftzmq.web.gate.BODY_S", 0.3)

    async def story(site: Site) -> None:
        async def pieces() -> Any:
            yield b"{"
            await asyncio.sleep(2)

        headers = {**site.browser, "Content-Type": "application/json"}
        answer = await site.client.post("/api/v1/accept", content=pieces(), headers=headers)
        assert answer.status_code == 408

    play(tmp_path / "s", story)


def test_one_connection_too_many_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leftzmq.web.server.MOST_CONNECTIONS", 5)

    async def story(site: Site) -> None:
        open_ones = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(5)]
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 3) == b""
        for _, each in open_ones:
            each.close()
        writer.close()
        await asyncio.sleep(0.1)
        assert (await site.client.get("/healthz")).status_code == 200

    play(tmp_path / "s", story)


@pytest.mark.parametrize(
    "said", [b"GARBAGE\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"x" * 70_000, b"\0" * 100]
)
def test_what_is_no_request_gets_no_answer_but_an_error(tmp_path: Path, said: bytes) -> None:
    async def story(site: Site) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(said)
        writer.write_eof()
        with suppress(ConnectionResetError):
            answer = await asyncio.wait_for(reader.read(), 15)
            assert answer == b"" or answer.split()[1] in (b"400", b"421"), answer
        writer.close()
        assert (await site.client.get("/healthz")).status_code == 200

    play(tmp_path / "s", story)


def test_one_page_too_many_is_refused(tmp_path: Path) -> None:
    async def story(site: Site) -> None:
        tabs = [site.watch.join() for _ in range(MOST_TABS)]
        answer = await site.client.get("/api/v1/stream", headers=site.browser)
        assert answer.status_code == 503 and "close one" in answer.json()["error"]
        for tab in tabs:
            assert tab is not None
            site.watch.leave(tab)
        assert site.watch.join() is not None

    play(tmp_path / "s", story)


def test_the_end_of_the_process_is_the_end_of_the_stream(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def played() -> None:
        async with asyncio.timeout(20), AsyncExitStack() as stack:
            site = await stack.enter_async_context(served(tmp_path / "s"))
            client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
            url = f"http://{site.host}/api/v1/stream"
            async with client.stream("GET", url, headers=site.program) as response:
                stream = Stream(response)
                await stream.next("status")
                site.watch.end()
                with pytest.raises(AssertionError, match="the stream is over"):
                    await stream.next("nothing")
            refused = await client.get(url, headers=site.program)
            assert refused.status_code == 503

    asyncio.run(played())
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


@pytest.mark.slow
def test_a_page_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    """Its connection is ended although it never takes what was sent; the others see everything."""

    async def story(site: Site) -> None:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, ("127.0.0.1", site.port))
        head = f"GET /api/v1/stream HTTP/1.1\r\nHost: {site.host}\r\n"
        head += f"Authorization: Bearer {TOKEN}\r\n\r\n"
        await loop.sock_sendall(slow, head.encode())
        async with site.client.stream("GET", "/api/v1/stream", headers=site.browser) as response:
            stream = Stream(response)
            await until(lambda: site.watch.tabs == 2)
            turn, began = 0, loop.time()
            while site.watch.tabs == 2:
                turn += 1
                folder = a_folder(why=f"{turn} " + "x" * 2_000_000)
                site.agent.answers["status"] = a_status(folder)
                await asyncio.wait_for(stream.next("status"), 5)
            # By us: the kernel would have done it after UNSENT_S.
            assert site.watch.tabs == 1 and loop.time() - began < UNSENT_S / 2
            with suppress(ConnectionResetError):
                while await loop.sock_recv(slow, 1 << 20):
                    pass
        slow.close()

    play(tmp_path / "s", story, slow_s=1.0)


# -- the port -----------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen(1)
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken) as error:
            bind("127.0.0.1", port)
    said = f"127.0.0.1:{port}: cannot be bound: Address already in use"
    assert str(error.value) == f"{said} (end what has it, or name another --port)"
