"""The write order from the complete `.lefting` to the final name. No other package replaces files.

These are steps 2 to 4 of "Write order" in docs/design.md. Must not know the index.
"""
