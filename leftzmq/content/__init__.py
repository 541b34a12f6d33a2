"""Contents: keys, epochs, ids, cuts, lists and seals. Bytes in, bytes out.

Only this package uses nacl, blake3 and pyfastcdc. Must not know paths, files, sockets or clocks.
"""
