"""Contents: keys, ids, cuts, lists and seals. Bytes in, bytes out.

The only door to nacl, blake3 and pyfastcdc. Knows no paths, no files, no sockets, no clock.
"""
