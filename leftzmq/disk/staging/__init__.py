"""`.lefting` files: what is still arriving, where its bytes come from, and the room that it needs.

Step 1 of the write order. Must not know how a file gets its final name.
"""
