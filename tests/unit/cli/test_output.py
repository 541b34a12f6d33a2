"""Where standard output is closed, full, unread or not UTF-8, and whatever names there are: a
sentence or nothing, an exit code, and nothing that steers a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from tests.helpers import processes

pytestmark = pytest.mark.slow

DEADLINE_S = 60.0
NASTY = "a\x9b31mb\u202ec\x1b[2Jd\x7f é 名 😀\ue000"
CONTROLS = [chr(n) for n in (*range(10), *range(11, 32), *range(0x7F, 0xA0))] + ["\u202e", "\ue000"]

COMMANDS = {
    "id": ["admin", "id"],
    "status": ["admin", "status"],
    "status json": ["admin", "status", "--json"],
    "problems": ["admin", "problems"],
    "problems json": ["admin", "problems", "--json"],
    "trash": ["admin", "trash", "list"],
    "trash json": ["admin", "trash", "list", "--json"],
    "conflicts": ["admin", "conflicts", "list"],
    "conflicts json": ["admin", "conflicts", "list", "--json"],
    "monitor": ["monitor"],
    "monitor json": ["monitor", "--json"],
}
HELP = {"help": ["admin", "--help"], "version": ["monitor", "--version"]}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Actor]:
    """One that has something to say of each: a problem, something in its trash, a conflict."""
    with Stage("AB", tmp_path_factory.mktemp("output") / "stage") as stage:
        a, b = stage.actors
        a.start()
        (a.share / f"copy {NASTY}").write_bytes(b"by a")
        assert wait_until(lambda: a.status().get("files") == 1, DEADLINE_S)
        a.stop()
        os.mkfifo(a.share / f"special {NASTY}")
        # No event has its name: while A runs it would be found by the walk of the next minute.
        Path(os.fsdecode(os.fsencode(a.share) + b"/caf\xe9")).write_bytes(b"")
        b.start()
        (b.share / f"copy {NASTY}").write_bytes(b"by b!")
        (b.share / f"gone {NASTY}").write_bytes(b"x")
        assert wait_until(lambda: b.status().get("files") == 2, DEADLINE_S)
        a.start()
        assert wait_until(lambda: (a.share / f"gone {NASTY}").exists(), DEADLINE_S)
        assert wait_until(lambda: a.status().get("conflicts") == 1, DEADLINE_S)
        (b.share / f"gone {NASTY}").unlink()
        assert wait_until(lambda: not (a.share / f"gone {NASTY}").exists(), DEADLINE_S)
        b.stop()
        assert wait_until(lambda: a.status().get("problems") == 2, DEADLINE_S)
        yield a


def shell(agent: Actor, words: list[str], redirection: str, **environment: str) -> tuple[int, str]:
    """How it ended, and what it said on stderr. A monitor ends after the first second."""
    module, *arguments = words
    if "--help" not in words and "--version" not in words:
        arguments += ["-c", str(agent.home / "peer.toml")]
    command = [sys.executable, "-m", f"leftzmq.cli.{module}", *arguments]
    ran = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *command],
        capture_output=True,
        timeout=DEADLINE_S,
        env=os.environ | environment,
    )
    said = ran.stderr.decode(errors="replace")
    assert "Traceback" not in said and "Exception" not in said, said
    return ran.returncode, said


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
@pytest.mark.parametrize("name", [*COMMANDS, *HELP])
def test_an_output_that_takes_nothing_is_a_sentence(
    agent: Actor, name: str, redirection: str
) -> None:
    code, said = shell(agent, (COMMANDS | HELP)[name], redirection)
    assert code == 1, said
    assert "standard output: cannot be written" in said.splitlines()[-1]


@pytest.mark.parametrize("redirection", [">&- 2>&-", ">/dev/full 2>/dev/full", "2>&-"])
@pytest.mark.parametrize("name", ["id", "status", "trash json"])
def test_where_nothing_can_be_said_there_is_only_the_code(
    agent: Actor, name: str, redirection: str
) -> None:
    code, said = shell(agent, COMMANDS[name], redirection)
    assert (code, said) == (int(redirection.startswith(">")), "")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_an_error_that_nobody_hears_is_a_code(agent: Actor, redirection: str) -> None:
    code, _ = shell(agent, ["admin", "trash", "restore", "nothing"], redirection)
    assert code == 1
    code, _ = shell(agent, ["admin", "trash"], redirection)
    assert code == 2


def output(agent: Actor, words: list[str], **environment: str) -> bytes:
    module, *arguments = words
    command = [sys.executable, "-m", f"leftzmq.cli.{module}", *arguments]
    command += ["-c", str(agent.home / "peer.toml")]
    process = processes.start(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | environment
    )
    assert process.stdout is not None and process.stderr is not None
    if module == "monitor":  # it goes on: only the events that were there
        last = agent.status()["problems"]
        assert last == 2
        found = b""
        while b"caf" not in found or b"special" not in found:
            found += process.stdout.readline()
        process.kill()
        process.communicate()
        return found
    found, said = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, said) == (0, b""), said
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
@pytest.mark.parametrize("name", COMMANDS)
def test_no_name_steers_a_terminal(agent: Actor, name: str, encoding: str) -> None:
    found = output(agent, COMMANDS[name], PYTHONIOENCODING=encoding)
    text = found.decode(encoding)
    assert not [letter for letter in CONTROLS if letter in text]
    if name == "id" or not name.endswith("json"):
        return
    values = [json.loads(line) for line in text.splitlines()] if "monitor" in name else []
    said = json.dumps(values or json.loads(text))
    assert json.dumps(NASTY)[1:-1] in said, "for a script nothing is lost"


def test_a_terminal_that_is_not_utf8_does_not_break_the_demo_or_the_status(agent: Actor) -> None:
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    for name in COMMANDS:
        output(agent, COMMANDS[name], **locale)


# ---- pages --------------------------------------------------------------------------------------


def lines(agent: Actor, *words: str) -> list[str]:
    return output(agent, ["admin", *words]).decode().splitlines()


@pytest.mark.parametrize(
    "words, key",
    [(["problems"], "path"), (["trash", "list"], "path"), (["conflicts", "list"], "copy")],
)
def test_a_script_reads_page_by_page(agent: Actor, words: list[str], key: str) -> None:
    whole = json.loads("\n".join(lines(agent, *words, "--json")))
    found, after = [], ""
    while page := json.loads(
        "\n".join(lines(agent, *words, "--json", "--limit", "1", "--after", after))
    ):
        found += page
        after = page[-1]["cursor"]
    assert found == whole and whole
    assert all(one["folder"] == "share" and key in one for one in whole)


def test_a_person_is_told_how_many_there_are(agent: Actor) -> None:
    assert lines(agent, "problems", "--limit", "1")[1:] == ["... and 1 more"]
    assert lines(agent, "trash", "list", "--limit", "0")[1:] == ["... and 1 more"]
    assert lines(agent, "conflicts", "list", "--limit", "0")[1:] == ["... and 1 more"]
    assert not [line for line in lines(agent, "problems") if "more" in line]


# ---- what was typed -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["admin", NASTY],
        ["admin", "status", "-c", NASTY],
        ["admin", "status", "-c", "x.toml", f"--{NASTY}"],
        ["admin", "trash", "restore", NASTY, "-c", NASTY],
        ["admin", "trash", "list", f"../{NASTY}", "-c", "x.toml"],
        ["monitor", "--kind", NASTY, "-c", "x.toml"],
        ["agent", "-c", NASTY],
    ],
)
def test_what_was_typed_is_repeated_without_control_characters(words: list[str]) -> None:
    module, *arguments = words
    command = [sys.executable, "-m", f"leftzmq.cli.{module}", *arguments]
    ran = processes.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
    assert ran.returncode == 2 and "Traceback" not in ran.stderr
    assert not [letter for letter in CONTROLS if letter in ran.stderr], ran.stderr


def test_a_path_of_an_error_is_escaped(tmp_path: Path) -> None:
    """A ConfigError, and one of an agent that is not there."""
    home = tmp_path / NASTY
    home.mkdir()
    file = home / "peer.toml"
    device = '[device]\nname = "a"\nstate = "state"\nlisten = "tcp://127.0.0.1:0"\n'
    for text in (
        device + f'[[peer]]\n"{json.dumps("x" + NASTY)[1:-1]}" = 1\n',
        device + "[[peer]]\n",
        "x",
    ):
        file.write_text(text)
        for module, *words in (["agent"], ["admin", "status"], ["admin", "id"]):
            ran = processes.run(
                [sys.executable, "-m", f"leftzmq.cli.{module}", *words, "-c", str(file)],
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
            )
            assert "Traceback" not in ran.stderr
            assert not [letter for letter in CONTROLS if letter in ran.stderr], ran.stderr


@pytest.mark.parametrize(
    "begin",
    ["import leftzmq.cli.start", "import leftzmq.cli.shell as s; s.guarded('x', lambda: 0)"],
)
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path, begin: str) -> None:
    code = f"{begin}; import os, pathlib; file = os.open('/', 0)"
    code += f"; pathlib.Path({str(tmp_path / 'n')!r}).write_text(str(file))"
    subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code], timeout=20)
    assert int((tmp_path / "n").read_text()) >= 3
