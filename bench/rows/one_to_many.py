"""One device sends a large file to many, each on a line of its own (swarm.py)."""

from __future__ import annotations

from typing import Final

import network
import swarm
from ground import Needs
from programs import syncthing
from programs.pair import Lacking, require

from leftzmq.cli.demo.stage import Actor
from rows.row import OURS, SYNCTHING, Figure, Figures, Place, Row, Scale, Setting, Wanted

MBIT_S: Final = 100
ASKED: Final = Scale(size=256 << 20, devices=8)
AGENT_BYTES: Final = 100 << 20
"""Memory for one program of the swarm."""


def measure(setting: Setting) -> Figures:
    if lacks := network.missing():
        raise Lacking(f"{', '.join(lacks)} missing")
    kind: type[Actor] | type[syncthing.Syncthing] = Actor
    if setting.program == SYNCTHING:
        require(syncthing.PROGRAM)
        kind = syncthing.Syncthing
    scale = setting.scale
    where = str(setting.ground.folder)
    found = swarm.once(kind, scale.devices, scale.size, MBIT_S, where)
    return {key: value for key, value in found.items() if isinstance(value, float)}


def _needs(scale: Scale) -> Needs:
    size = scale.size * (scale.devices + 1)
    return Needs(size=size, memory_bytes=size + AGENT_BYTES * (scale.devices + 1))


ROWS: Final = (
    Row(
        name="swarm",
        kind="swarm",
        what=f"one to many at {MBIT_S} Mbit/s",
        figures=(Figure("ratio", "time over the bound", "", (Wanted(1.115, at=ASKED),)),),
        programs=(OURS, SYNCTHING),
        full=(ASKED,),
        quick=(Scale(size=16 << 20, devices=2),),
        needs=_needs,
        measure=measure,
        place=Place.MEMORY,
    ),
)
