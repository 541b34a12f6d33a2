"""The trash: keeps old versions, deletes them after a time, or earlier when the disk is full.

A user's file leaves a share only into the trash.
"""
