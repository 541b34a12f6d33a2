"""The protocol: messages, codec, checks, sealed pages. The only door to msgpack.

docs/protocol.md is its authority. Knows bytes and values. Must not know sockets or files.
"""
