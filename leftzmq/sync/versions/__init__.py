"""Which version of a path is here, which others hold, which one wins, and what follows from it.

Knows the index. Must not know the disk, messages, or which devices are connected.
"""
