"""The write order from the whole `.lefting` to the final name: the only place that replaces files.

Steps 2 to 4 of "Write order" in docs/design.md. Must not know the index.
"""
