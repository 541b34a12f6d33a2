"""The page: a process of its own that shows what the agent answers."""
