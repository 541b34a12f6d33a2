"""`leftzmq doctor` and `leftzmq fleet` typed at real agents."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from leftzmq import __version__
from leftzmq.cli.demo.stage import Actor, Stage, free_ports, wait_until
from tests.helpers import processes

DEADLINE_S = 20.0
Found = dict[tuple[str, str], dict[str, str]]


def types(actor: Actor, *words: str, columns: int = 80) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "leftzmq.cli.admin", *words]
    done = processes.run(
        [*command, "-c", str(actor.home / "peer.toml")],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"COLUMNS": str(columns)},
    )
    assert "Traceback" not in done.stderr
    print(done.stdout, done.stderr)
    return done


def doctor(actor: Actor) -> tuple[int, Found]:
    done = types(actor, "doctor", "--json")
    found = json.loads(done.stdout)["findings"]
    return done.returncode, {(one["check"], one["about"]): one for one in found}


def state_of(actor: Actor, check: str, about: str) -> str:
    return doctor(actor)[1].get((check, about), {}).get("state", "")


def fleet(actor: Actor) -> dict[str, dict[str, Any]]:
    devices = json.loads(types(actor, "fleet", "--json").stdout)["devices"]
    return {one["name"]: one for one in devices}


def change(a: Actor, old: str, new: str) -> None:
    config = a.home / "peer.toml"
    text = config.read_text()
    assert old in text
    config.write_text(text.replace(old, new))


def test_all_is_well_with_two_agents(stage: Stage) -> None:
    a, b = stage.actors
    a.start()
    b.start()
    for way in ("reaches us", "reached"):  # A dialed before B was there, and dials again soon
        assert wait_until(lambda way=way: state_of(a, way, b.name) == "good", DEADLINE_S)
    code, found = doctor(a)
    assert code == 0, [one for one in found.values() if one["state"] == "bad"]
    for check in ("reached", "reaches us", "clock", "version", "mtu"):
        assert found[check, b.name]["state"] == "good"
    assert "65,535 bytes" in found["mtu", b.name]["text"]
    assert found["agent", ""]["text"] == f"an agent of leftzmq {__version__} runs"
    assert found["permissions", ""]["state"] == "good"
    assert found["watches", ""]["text"].startswith("2 directories are watched")
    seen = fleet(a)
    assert seen[b.name]["version"] == __version__
    assert abs(seen[b.name]["clock_ms"]) < 2000
    assert wait_until(lambda: fleet(a)[b.name]["free_bytes"], DEADLINE_S)
    for columns in (60, 80, 120):
        for verb in ("fleet", "doctor"):
            done = types(a, verb, columns=columns)
            assert done.returncode == 0
            assert max(map(len, done.stdout.splitlines())) <= columns


def test_who_dials_us_in_vain_says_at_which_address(stage: Stage) -> None:
    """B knows A by an address where nobody is; A dials B."""
    a, b = stage.actors
    (nobody,) = free_ports(1)
    change(b, f":{a.port}", f":{nobody}")
    a.start()
    b.start()
    assert wait_until(lambda: state_of(b, "reached", a.name) == "note", DEADLINE_S)
    assert f":{nobody}" in doctor(b)[1]["reached", a.name]["text"]
    # What B said when they greeted came before it knew that nobody answers. A greeting says more.
    b.stop()
    b.start()
    a_knows = lambda: state_of(a, "reached", b.name) == "good"  # noqa: E731
    assert wait_until(a_knows, DEADLINE_S)
    assert state_of(a, "reaches us", b.name) == "note"


def test_an_agent_that_is_away_and_what_others_may_read(stage: Stage) -> None:
    a, b = stage.actors
    a.start()
    assert wait_until(lambda: state_of(a, "reached", b.name) == "bad", DEADLINE_S)
    code, found = doctor(a)
    assert code == 1 and "nobody answers" in found["reached", b.name]["text"]
    (a.state / "device.key").chmod(0o644)
    code, found = doctor(a)
    assert found["permissions", str(a.state / "device.key")]["state"] == "bad"
    (a.state / "device.key").chmod(0o600)
    a.stop()
    code, found = doctor(a)
    assert code == 1 and found["agent", ""]["state"] == "bad"
    assert found["permissions", ""]["state"] == "good"
    assert found["share", "share"]["state"] == "good"
    assert ("reached", b.name) not in found
    assert types(a, "fleet").returncode == 1


def test_a_share_that_is_gone_is_said_and_an_unknown_folder_is_a_sentence(stage: Stage) -> None:
    a = stage.actors[0]
    a.start()
    assert wait_until(lambda: state_of(a, "share", "share") == "good", DEADLINE_S)
    a.share.rename(a.share.with_name("elsewhere"))
    assert wait_until(lambda: state_of(a, "share", "share") == "bad", DEADLINE_S)
    done = types(a, "fleet", "--folder", "photos")
    assert done.returncode == 1 and "there is no such folder here" in done.stderr


@pytest.mark.parametrize("verb", ["doctor", "fleet"])
def test_no_config_is_a_sentence(stage: Stage, verb: str) -> None:
    a = stage.actors[0]
    (a.home / "peer.toml").rename(a.home / "other.toml")
    done = types(a, verb)
    assert done.returncode == 2 and "there is no such file" in done.stderr
