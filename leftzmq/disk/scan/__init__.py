"""Finds what is in a share: walks all of it, scans single paths, and knows which folders are
mounts.

Must not change anything in a share.
"""
