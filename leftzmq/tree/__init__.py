"""Paths, versions and entries as pure values; which entry wins; in which order changes happen.

Knows no file system, no socket, no clock, no database and no bytes of contents.
"""
