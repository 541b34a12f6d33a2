"""The other devices: who they are, over which links they are connected, and in which folders they
are.

Must not know what lies in a folder.
"""
