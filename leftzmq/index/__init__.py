"""The index on disk: what this device has, and what others announced. The only user of sqlite3.

Knows rows. Must not know why they change: the rules of versions are in `tree`, their use in `sync`.
"""
