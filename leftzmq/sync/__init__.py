"""The machines: each takes one fact and `now`, and answers with actions.

No socket, no file, no clock, no thread: time, randomness and the index are passed in. `node` is
the hub that routes each fact to its machine.
"""
