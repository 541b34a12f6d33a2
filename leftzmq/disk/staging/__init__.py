"""`.lefting` files: files that are being received, local sources of their bytes, and free space.

Step 1 of the write order. Must not know how a file gets its final name.
"""
