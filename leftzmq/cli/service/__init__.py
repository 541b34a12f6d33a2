"""Whether the agent of a peer.toml can run, and how it is kept running: as a service of the user,
or in the background."""
