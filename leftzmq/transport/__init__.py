"""The world of frames and threads: device keys, gate, sockets, workers. The only door to zmq.

Knows sockets, threads, and which link a frame came over. Must not know what a message is about.
"""
