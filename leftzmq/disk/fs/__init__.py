"""All file system calls: `interface` says what disk/ needs, `real` implements it on this machine.

The simulation implements the same interface. Must not know shares, trash or versions.
"""
