"""Two agents of leftzmq as a pair.

Knows the agents' admin socket. Must not know what is measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leftzmq.cli.demo.stage import Actor, Stage, wait_until
from leftzmq.transport.ipc.client import ask
from programs.pair import Failed, Indexing, Scan, longest_s

LOOK_S = 0.02
REST_S = 5.0


class Ours(Indexing):
    def __init__(self, a: Actor, b: Actor) -> None:
        super().__init__([a, b])
        self.agents = (a, b)
        for agent in self.agents:
            agent.share.mkdir()

    def scan(self, files: int, size: int) -> Scan:
        a = self.agents[0]
        began = time.monotonic()
        a.start()
        ready_s = time.monotonic() - began

        def over() -> bool:
            status = a.status()
            has_all = (status.get("files"), status.get("bytes")) == (files, size)
            return has_all and status["state"] != "scanning"

        if not wait_until(over, longest_s(files), period_s=LOOK_S):
            raise Failed(f"A has not scanned {files} files: {a.log_tail()}")
        over_s = time.monotonic() - began
        return Scan(ready_s, over_s, over_s - ready_s)

    def met(self) -> bool:
        return all(agent.status().get("shared_with") for agent in self.agents)

    def settled(self) -> bool:
        return all(_settled(agent.status()) for agent in self.agents)

    def rest(self) -> None:
        """Until B's acknowledgement has arrived."""
        wait_until(lambda: self.agents[1].status().get("state") == "idle", REST_S)

    def accept(self) -> bool:
        a = self.agents[0]
        if not a.status().get("held", {}).get("here"):
            return False
        ask(a.state, "accept")
        return True

    def ask_status(self) -> None:
        ask(self.agents[0].state, "status")

    def is_under_way(self) -> bool:
        return bool(self.agents[1].status().get("under_way"))

    def received_bytes(self) -> int:
        return int(self.agents[1].status()["received_bytes"])

    def index_files(self) -> list[Path]:
        return list(self.agents[0].state.glob("*.sqlite*"))

    def logs_of_writes(self) -> list[list[Path]]:
        """Return the write-ahead logs of A's and of B's databases."""
        return [list(agent.state.glob("*-wal")) for agent in self.agents]

    def longest_turns_ms(self) -> list[float]:
        return [ask(agent.state, "status")["longest_turn_ms"] for agent in self.agents]


def _settled(status: dict[str, Any]) -> bool:
    peers = status.get("peers", [])
    return status.get("state") == "idle" and all(peer["state"] == "in sync" for peer in peers)


@contextmanager
def opened(home: Path | None = None) -> Iterator[Ours]:
    """Yield two agents in this new folder (None: one of their own), not started. Everything is
    removed afterwards."""
    with Stage(names="AB", home=home) as stage:
        yield Ours(*stage.actors)
