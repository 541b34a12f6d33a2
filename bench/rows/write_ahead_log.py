"""How large the write-ahead logs of an agent's databases are when many files have come and nothing
more is to be done."""

from __future__ import annotations

import time
from typing import Final

from processes import size_of
from programs import ours
from programs.named import on_ground
from programs.pair import Failed, longest_s
from shares import Arrival

from leftzmq.cli.demo.stage import wait_until
from rows import trees
from rows.row import OURS, Figure, Figures, Row, Scale, Setting, Wanted

MIB: Final = 1 << 20
ASKED: Final = Scale(files=30_000, idle_s=10.0)


def idle(setting: Setting) -> Figures:
    with on_ground(ours.opened, setting.ground) as shares:
        trees.settle(shares, {})
        arrival = Arrival(shares.b, trees.make(shares.a, setting.scale.files))
        longest = longest_s(setting.scale.files)
        if not wait_until(lambda: arrival.whole() and shares.settled(), longest):
            raise Failed(f"not all files arrive: {shares.log_tail()}")
        time.sleep(setting.scale.idle_s)
        a_mib, b_mib = (size_of(logs) / MIB for logs in shares.logs_of_writes())
        return {"wal_mib": max(a_mib, b_mib), "a_wal_mib": a_mib, "b_wal_mib": b_mib}


ROWS: Final = (
    Row(
        name="wal",
        kind="wal",
        what="write-ahead log when idle, the larger one of both",
        figures=(Figure("wal_mib", "size", "MiB", (Wanted(16, at=ASKED),)),),
        programs=(OURS,),
        full=(ASKED,),
        quick=(Scale(files=300, idle_s=1.0),),
        needs=trees.both_trees,
        measure=idle,
    ),
)
