"""What lies in a share: walks of all of it, looks at single paths, and which folders are mounts.

Must not change anything in a share.
"""
