"""The protocol: messages, codec, checks, sealed pages. Only this package uses msgpack.

docs/protocol.md is the authority. Knows bytes and values. Must not know sockets or files.
"""
