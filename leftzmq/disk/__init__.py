"""The share on disk: scanner, watcher, staging, apply. `fs` alone makes file system calls.

Knows paths and entries. Must not know sockets, peers, or why something is done.
"""
