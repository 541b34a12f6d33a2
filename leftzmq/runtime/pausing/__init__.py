"""Which folders and devices are paused, kept over restarts, and what that cuts off.

`desk` answers the questions and keeps the file; `used` acts on it. Must not know what a pause means
to the machines of a folder.
"""
