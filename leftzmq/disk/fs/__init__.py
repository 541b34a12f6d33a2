"""The only file system calls: `interface` says what disk/ needs, `real` is the one of this machine.

The simulation has another one behind the same interface. Must not know shares, trash or versions.
"""
