"""The jobs of the worker threads: the one place where a job meets the disk, the index and the keys.

Must not know sockets, nor what a job is for.
"""
