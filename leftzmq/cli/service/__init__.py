"""How the agent of a peer.toml is kept running: as a service of the user, or in the background."""
