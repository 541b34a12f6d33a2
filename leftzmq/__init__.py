"""leftzmq: every device runs one agent with a share; what appears in one appears in all."""

__version__ = "0.1.0"
