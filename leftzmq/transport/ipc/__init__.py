"""The local sockets in the state directory: `server` is the agent's side, `client` the command
line's."""
