"""Prints times, columns, events and colours. Must not know how an agent is asked."""
