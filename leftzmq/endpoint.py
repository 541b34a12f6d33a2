"""Where a device listens: a host and a port.

Knows how they are written. Must not know sockets: nothing is resolved or connected here.
"""

from __future__ import annotations

import ipaddress
import re

from msgspec import Struct

from leftzmq.errors import ConfigError

_HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", re.ASCII)
_ENDPOINT_DO = "write tcp://HOST:PORT, such as tcp://127.0.0.1:7700 or tcp://[::1]:7700"


class Endpoint(Struct, frozen=True):
    """host: IPv4, IPv6 (without brackets) or a host name; port: 0 = any free port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    @classmethod
    def parse(cls, text: str, where: str, *, own: bool = False) -> Endpoint:
        """Read "tcp://HOST:PORT". ConfigError names `where`.

        own: this device binds it, so port 0 is allowed, and so are 0.0.0.0 and [::].
        """

        def wrong(why: str) -> ConfigError:
            return ConfigError(f"{text!r} {why}", where, _ENDPOINT_DO)

        if not text.startswith("tcp://"):
            raise wrong("does not begin with tcp://")
        host, colon, digits = text.removeprefix("tcp://").rpartition(":")
        if not colon or not re.fullmatch(r"[0-9]{1,5}", digits) or int(digits) > 65535:
            raise wrong("does not end in a port from 0 to 65535")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not (_is_ipv6(bare) if bare != host else _is_ipv4_or_name(host)):
            raise wrong("has no IPv4 address, host name or [IPv6 address] as its host")
        if _needs_zone(bare):
            raise wrong("is valid on one link only: say on which, such as [fe80::1%eth0]")
        if not own and int(digits) == 0:
            raise wrong("has port 0, which only a socket of this device's own can have")
        if not own and bare in ("0.0.0.0", "::"):
            raise wrong("means every address of a machine, not one that can be called")
        return cls(bare, int(digits))


def _needs_zone(host: str) -> bool:
    """Return whether the host is a link-local address without a zone (RFC 4007): the system cannot
    tell which interface leads to it."""
    if not _is_ipv6(host):
        return False
    address = ipaddress.IPv6Address(host)
    return address.is_link_local and address.scope_id is None


def _is_ipv6(host: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(host))
    except ValueError:
        return False


def _is_ipv4_or_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    if labels[-1].isdigit():  # no top-level domain is a number, so this must be IPv4
        try:
            return bool(ipaddress.IPv4Address(host))
        except ValueError:
            return False
    return len(host) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in labels)
