"""The agent's own doors in the state directory: one side is the agent's, one the command line's."""
