"""The roster of a folder: which devices are in it, by whose word, and which epoch is clean.

Must not know links, files or secrets: statements come in and go out as values.
"""
