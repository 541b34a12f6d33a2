"""The other devices: who they are, over which link they are there, and which folders they are in.

Must not know what lies in a folder.
"""
