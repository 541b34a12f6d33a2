"""What this device has and what the others told us they have, on disk. The only door to sqlite3.

Knows rows. Must not know why they change: the rules of versions are in `tree`, their use in `sync`.
"""
