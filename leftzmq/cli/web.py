"""leftzmq web: serves a page that shows the agent, until Ctrl-C.

Knows the options and what a user reads. Must not know HTTP.
"""

from __future__ import annotations

import argparse
import ipaddress
import re
import signal
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from leftzmq.cli.asking import add_config
from leftzmq.cli.importing import INTERRUPTED, Importing
from leftzmq.cli.pairing.words import OfferedWords
from leftzmq.config import load_device
from leftzmq.errors import LeftError, UsageError
from leftzmq.statedir import make_state_dir, replace_private

if TYPE_CHECKING:
    from leftzmq.web.access import ServedAt

HOST: Final = "127.0.0.1"
PORT: Final = 7780
_TEXT: Final = "serve a page that shows the agent, until Ctrl-C; print its address"
_PACKAGES: Final = ("starlette", "uvicorn", "prometheus_client")
_PROXY: Final = re.compile(
    r"(https?)://((?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?)/?", re.ASCII
)
_OPENING: Final = "web-open.html"


def add_web(commands: Any) -> None:
    """Add `leftzmq web` to the parser."""
    command = commands.add_parser("web", help=_TEXT, description=_TEXT)
    add_config(command)
    command.add_argument("--host", default=HOST, metavar="HOST", help=f"where it listens ({HOST})")
    command.add_argument(
        "--port", type=_port, default=PORT, metavar="PORT", help=f"0: any that is free ({PORT})"
    )
    command.add_argument("--open", action="store_true", help="open it in the browser of this user")
    command.add_argument(
        "--new-token", action="store_true", help="whoever knows the old token is out"
    )
    command.add_argument("--tls-cert", type=Path, metavar="FILE", help="a certificate (PEM)")
    command.add_argument("--tls-key", type=Path, metavar="FILE", help="its key (PEM)")
    command.add_argument(
        "--behind-proxy",
        default="",
        metavar="URL",
        help="the address of a proxy that browsers talk to, such as https://files.example.org",
    )


def _port(typed: str) -> int:
    if not typed.isdecimal() or not 0 <= int(typed[:6]) < 1 << 16:
        raise argparse.ArgumentTypeError("is no port from 0 to 65535")
    return int(typed)


def web(options: argparse.Namespace) -> int:
    _check(options)
    with Importing():
        try:
            from leftzmq.web.access import Keys, load_token
            from leftzmq.web.server import Serving, Tls, bind, place_of, serve
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in _PACKAGES:
                raise
            what = f"`leftzmq web` needs {package}, which is not installed"
            raise LeftError(what, "", "pip install 'leftzmq[web]'") from None
    state = make_state_dir(load_device(options.config).state)
    with bind(options.host, options.port) as listener:
        listener.listen(64)
        token = load_token(state, new=options.new_token)
        tls = Tls(options.tls_cert, options.tls_key) if options.tls_cert else None
        place = place_of(listener, options.host, is_secure=tls is not None)
        if options.behind_proxy:
            place = _behind(options.behind_proxy)
        address = f"{place.address}?token={token}"

        def ready() -> None:
            print(address, flush=True)
            if options.open:
                _open(state, address)

        def offer(opened: dict[str, Any], uses: int) -> OfferedWords:
            return OfferedWords(options.config, opened, uses)

        try:
            ended = serve(Serving(state, place, Keys.of(token), offer, tls), listener, ready)
        finally:
            (state / _OPENING).unlink(missing_ok=True)
    return INTERRUPTED if ended == signal.SIGINT else 0


def _check(options: argparse.Namespace) -> None:
    """Raise UsageError for what would let others read what goes over the wire."""
    if bool(options.tls_cert) != bool(options.tls_key):
        raise UsageError("a certificate and its key belong together", "--tls-cert, --tls-key")
    if options.behind_proxy:
        _behind(options.behind_proxy)
        return
    if _is_loopback(options.host):
        return
    if not options.tls_cert:
        what = "others could read what goes over the network"
        do = "give --tls-cert and --tls-key, or --behind-proxy URL"
        raise UsageError(what, f"--host {options.host}", do)
    if options.host in ("0.0.0.0", "::", ""):
        do = "name the address or the name by which browsers reach this machine"
        raise UsageError("is no address that a browser can open", f"--host {options.host}", do)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _behind(typed: str) -> ServedAt:
    """Return the place that a proxy gives to browsers. Raises UsageError."""
    from leftzmq.web.access import ServedAt

    found = _PROXY.fullmatch(typed.lower())
    if found is None:
        do = "write the address that browsers open, such as https://files.example.org"
        raise UsageError("is no address of a proxy", f"--behind-proxy {typed}", do)
    return ServedAt(found[1], found[2])


def _open(state: Path, address: str) -> None:
    """Open the page in a browser. The token is in a file of this user alone: what is in a command
    line, every user of this machine can read."""
    file = state / _OPENING
    text = f'<!doctype html><meta http-equiv="refresh" content="0;url={address}">\n'
    replace_private(file, text.encode())
    if not webbrowser.open(file.as_uri()):
        print("no browser was found: open the address by hand", flush=True)
