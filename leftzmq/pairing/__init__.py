"""Pairing: what two devices hand to each other before either has the other in its list, and what a
device keeps of it.

Knows codes, invitations and the file of what was learnt, as values. Must not know sockets, nor how
a folder is opened.
"""
