"""From tickets that have all their bytes to operations on the share, and what their results mean.

Must not know where the bytes came from.
"""
