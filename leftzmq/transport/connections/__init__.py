"""The connections behind our sockets: their two ends, what comes over them, and how many there may
be.

Knows descriptors and addresses. Must not know what is said over a connection.
"""
