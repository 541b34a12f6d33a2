"""Whether the agent of a peer.toml can run, how it is kept running (as a service of the user, or in
the background), made to read the file again, and paused."""
