"""Which version of a path is here, which are elsewhere, which wins, and what follows from it.

Knows the index. Must not know the disk, messages, or who is connected.
"""
