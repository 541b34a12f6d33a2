"""Who is listed and dialed, and which folders are open.

Knows peer.toml, what was learnt, what rosters say and who was heard of nearby. Must not know
sockets, nor how a folder is opened.
"""
