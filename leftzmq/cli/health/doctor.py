"""leftzmq doctor: what is not as it should be on this device and between it and the others, each
with what to do about it.

The agent makes the checks. Where none answers, those are made here that need none, and that no
agent answers is a finding, too. Exit code 1 if somebody should do something.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from leftzmq.cli.format.event_lines import printable
from leftzmq.cli.format.terminal import colour_system
from leftzmq.cli.shell import json_text
from leftzmq.config import Config, load, load_device
from leftzmq.disk.share import check_unopened, traits_at
from leftzmq.errors import AgentAway, ShareError, counted
from leftzmq.pairing import learnt as files
from leftzmq.pairing.learnt import Learnt, merged
from leftzmq.statedir import PAIRING_FILE, index_file
from leftzmq.sync.admin.health.findings import Finding
from leftzmq.sync.admin.health.machine import needs_a_cure, of_machine, of_share
from leftzmq.sync.facts import MachineSeen
from leftzmq.transport import platform
from leftzmq.transport.ipc.client import ask
from leftzmq.wire.answers.health import DoctorShown, FindingShown
from leftzmq.work import machine

_COLOURS: Final = {"bad": "red", "note": "yellow", "good": "green"}
_WORST_FIRST: Final = ("bad", "note", "good")


def doctor(options: argparse.Namespace) -> int:
    state = load_device(options.config).state
    try:
        found = DoctorShown.of(ask(state, "doctor")).findings
    except AgentAway as away:
        found = [Finding.AGENT_AWAY.about("", why=away.what), *_without_agent(options.config)]
    if options.json:
        print(json_text(DoctorShown(findings=found).fields()))
    else:
        console = Console(highlight=False, color_system=colour_system())
        console.print(doctor_view(found), crop=False)
    return 1 if needs_a_cure(found) else 0


def doctor_view(found: list[FindingShown]) -> RenderableType:
    """Return the findings, the worst first, and how many there are of each kind."""
    table = Table(box=None, pad_edge=False, show_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for state in _WORST_FIRST:
        for one in found:
            if one.state == state:
                table.add_row(Text(state, _COLOURS[state]), Text(one.check), _said(one))
    counts = {word: sum(one.state == word for one in found) for word in _WORST_FIRST}
    words = (
        f"{counted(counts['bad'], 'thing')} to be done, {counted(counts['note'], 'note')}, "
        f"{counts['good']:,} good"
    )
    return Group(table, "", Text(words, "bold"))


def _said(one: FindingShown) -> Text:
    """Return the sentence, and what to do about it in a line of its own."""
    about = f"{printable(one.about)}: " if one.about else ""
    said = Text(f"{about}{printable(one.text)}")
    if one.cure:
        said.append(f"\nto do: {printable(one.cure)}", "bold")
    return said


def _without_agent(file: Path) -> list[FindingShown]:
    """Make the checks that need no agent. Raises ConfigError."""
    written = load(file)
    state = written.device.state
    config = merged(
        written, _learnt(state), lambda id: index_file(state, id).with_suffix(".secret")
    )
    found = of_machine(_machine(state, config))
    for folder in config.folders:
        found += _of_share(folder.id, folder.path, index_file(state, folder.id).exists())
    return found + [Finding.FOLDER_UNUSABLE.about(one.id, why=one.why) for one in config.unusable]


def _learnt(state: Path) -> Learnt:
    """Return what invitations brought so far. Raises ConfigError."""
    file = state / PAIRING_FILE
    try:
        data = file.read_bytes()
    except OSError:  # there is none yet, or another finding says that the directory cannot be read
        return Learnt()
    return files.read(data, str(file))


def _machine(state: Path, config: Config) -> MachineSeen:
    mode, why = machine.mode_of(state)
    return MachineSeen(
        str(state),
        mode,
        machine.open_files(state, (folder.secret for folder in config.folders)),
        machine.room_at(state),
        machine.watches_most(),
        None,
        (),
        platform.descriptors_allowed(),
        platform.needed_descriptors(len(peer.addresses) for peer in config.peers),
        None,
        {},
        why,
    )


def _of_share(folder: str, path: Path, is_known: bool) -> Iterator[FindingShown]:
    """is_known: the state directory knows the folder. A new one is made by the agent."""
    if not is_known and not path.exists():
        return
    try:
        check_unopened(path, folder, is_new=not is_known)
        traits = traits_at(path)
    except ShareError as error:
        yield Finding.SHARE_FAILED.about(folder, why=str(error))
        return
    yield from of_share(folder, traits)
