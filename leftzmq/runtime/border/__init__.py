"""What comes into the agent and what leaves it: frames become facts, sealed things are opened or
made."""
