"""From tickets with all their bytes to operations on the share, and what their ends mean.

Must not know where the bytes came from.
"""
