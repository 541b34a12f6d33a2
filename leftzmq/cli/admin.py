"""leftzmq: the command, each of whose verbs is a module beside this one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from leftzmq import __version__
from leftzmq.cli.accept import add_held, decide
from leftzmq.cli.asking import add_common, add_config
from leftzmq.cli.importing import Importing
from leftzmq.cli.modes import add_modes, modes
from leftzmq.cli.override import add_override, override
from leftzmq.cli.pairing.join import add_join, join
from leftzmq.cli.pairing.peers import add_peers, peers
from leftzmq.cli.pairing.share import add_share, share
from leftzmq.cli.paths.conflicts import add_conflicts, conflicts
from leftzmq.cli.paths.ignored import add_ignored, ignored
from leftzmq.cli.paths.plan import add_plan, plan
from leftzmq.cli.paths.problems import add_problems, problems
from leftzmq.cli.paths.trash import add_trash, trash
from leftzmq.cli.paths.wanted import add_wanted, want
from leftzmq.cli.paths.why import add_why, why
from leftzmq.cli.service.pause import add_pause, pause
from leftzmq.cli.service.reload import add_reload, reload
from leftzmq.cli.service.up import add_up, down, up
from leftzmq.cli.shell import Parser, guarded
from leftzmq.cli.wait import add_wait, wait
from leftzmq.cli.web import add_web, web
from leftzmq.config import config_file, load_device
from leftzmq.errors import KeyFileError
from leftzmq.statedir import StateDir, device_key_file, make_state_dir
from leftzmq.transport import device_key

DEMO_BYTES = 512 << 20


def main(arguments: Sequence[str] | None = None) -> int:
    return guarded("leftzmq", lambda: _main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    if "config" in options:
        options.config = config_file(options.config)
    match options.command:
        case "id":
            return _id(options)
        case "status":
            with Importing():  # rich, which takes a moment
                from leftzmq.cli.status import status
            return status(options)
        case "doctor":
            with Importing():  # rich, and rooms of the agent
                from leftzmq.cli.health.doctor import doctor
            return doctor(options)
        case "fleet":
            with Importing():  # rich
                from leftzmq.cli.health.fleet import fleet
            return fleet(options)
        case "share":
            return share(options)
        case "join":
            return join(options)
        case "peers" | "folders" | "invite":
            return peers(options)
        case "up":
            return up(options)
        case "down":
            return down(options)
        case "check":
            with Importing():  # the rooms of the agent, whose sentences it says
                from leftzmq.cli.service.check import check
            return check(options)
        case "reload":
            return reload(options)
        case "wait":
            return wait(options)
        case "accept" | "revert":
            return decide(options)
        case "override":
            return override(options)
        case "modes":
            return modes(options)
        case "pause" | "resume":
            return pause(options)
        case "problems":
            return problems(options)
        case "get" | "drop":
            return want(options)
        case "why":
            return why(options)
        case "plan":
            return plan(options)
        case "ignored":
            return ignored(options)
        case "conflicts":
            return conflicts(options)
        case "trash":
            return trash(options)
        case "web":
            return web(options)
        case _:
            with Importing():  # rich and three agents: only when they are used
                from leftzmq.cli.demo.command import demo
            return demo(as_json=options.json, size=options.size)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="leftzmq", description="Share folders with other devices, ask an agent, or see a demo."
    )
    parser.add_argument("--version", action="version", version=f"leftzmq {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_share(commands)
    add_join(commands)
    add_peers(commands)
    add_up(commands)
    for name, text in (
        ("doctor", "what is not as it should be here and between the devices, and what to do"),
        ("id", "print this device's public key, making it on first use"),
        ("check", "what is wrong with peer.toml and what it names; nothing is started or changed"),
        ("status", "how far each device is with us, what is to come, problems"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        add_config(command)
        if name == "id":
            command.add_argument(
                "--new",
                action="store_true",
                help="make another one, as for a copy of a machine; its agent must not run",
            )
        elif name in ("check", "doctor"):
            command.add_argument("--json", action="store_true", help="for scripts")
        else:
            command.add_argument(
                "--folder", default="", metavar="ID", help="which [[folder]]; left out: all"
            )
            command.add_argument("--json", action="store_true", help="for scripts")
            command.add_argument("--watch", action="store_true", help="until Ctrl-C")
    text = "all devices of a folder: as they are seen from here, and as they say themselves"
    add_common(commands.add_parser("fleet", help=text, description=text))
    add_reload(commands)
    add_wait(commands)
    add_pause(commands)
    add_problems(commands)
    add_why(commands)
    add_plan(commands)
    add_ignored(commands)
    add_wanted(commands)
    add_trash(commands)
    add_conflicts(commands)
    add_held(commands)
    add_override(commands)
    add_modes(commands)
    add_web(commands)
    text = "three agents on this machine live through the story"
    command = commands.add_parser("demo", help=text, description=text)
    command.add_argument("--json", action="store_true", help="for scripts")
    command.add_argument(
        "--size", type=_size, default=DEMO_BYTES, metavar="BYTES", help="of the large file (512M)"
    )
    return parser


def _size(text: str) -> int:
    """Return the bytes of 256M, 2G, or a plain number; at least 16M, so that the file is cut into
    chunks, and is large enough for the kill and the change."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    unit = units.get(text[-1:].upper(), 1)
    size = int(text[:-1] if unit > 1 else text) * unit
    if size < 16 << 20:
        raise argparse.ArgumentTypeError("at least 16M")
    return size


def _id(options: argparse.Namespace) -> int:
    device = load_device(options.config)
    if options.new:
        pair = _new_key(device.state)
    else:
        make_state_dir(device.state)
        pair = device_key.load_or_make(device_key_file(device.state))
    print(device_key.public_text(pair.public))
    return 0


def _new_key(state: Path) -> device_key.DeviceKeyPair:
    with StateDir.open(state) as held:
        try:
            return device_key.make_anew(held.device_key_file)
        except OSError as error:
            where, do = str(held.device_key_file), "look who owns the state directory"
            raise KeyFileError(f"cannot be replaced: {error.strerror}", where, do) from None


if __name__ == "__main__":
    sys.exit(main())
