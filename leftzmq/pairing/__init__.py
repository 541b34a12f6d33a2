"""Pairing: what two devices hand to each other before either has the other in its list.

Values and their texts. Must not know sockets, nor the folders that an invitation leads to.
"""
