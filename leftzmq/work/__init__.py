"""Runs the jobs of the worker threads. Only here does a job use the disk, the index and the keys.

Must not know sockets, nor what a job is for.
"""
