"""The share on disk: scanner, watcher, staging, apply. Every file system call goes through `fs`.

Knows paths and entries. Must not know sockets, peers, or why something is done.
"""
