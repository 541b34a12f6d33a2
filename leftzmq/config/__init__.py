"""peer.toml, read and checked, as frozen values.

Knows the file's keys, their limits and which paths must not lie inside each other. Must not know
what any of it is used for.
"""

from leftzmq.config.checks import nobody_has_our_key
from leftzmq.config.peer_toml import (
    load,
    load_device,
    load_discovery,
    load_with_mistakes,
    with_settings,
)
from leftzmq.config.places import config_file, make_config, rename_made
from leftzmq.config.values import (
    MAX_PEERS,
    PATIENCE_S,
    Config,
    DeviceConfig,
    DiscoveryConfig,
    FolderConfig,
    Limits,
    PeerConfig,
    UnusableFolder,
)
from leftzmq.endpoint import Endpoint

__all__ = [
    "MAX_PEERS",
    "PATIENCE_S",
    "Config",
    "DeviceConfig",
    "DiscoveryConfig",
    "Endpoint",
    "FolderConfig",
    "Limits",
    "PeerConfig",
    "UnusableFolder",
    "config_file",
    "load",
    "load_device",
    "load_discovery",
    "load_with_mistakes",
    "make_config",
    "nobody_has_our_key",
    "rename_made",
    "with_settings",
]
