"""Sockets: device keys, the ZAP gate, connections and frames. Only this package and its subpackage
use zmq.

Knows sockets, threads, and which link a frame came over. Must not know what a message is about.
"""
