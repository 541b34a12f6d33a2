"""The machines: each takes one fact and `now`, and answers with actions.

Must not know sockets, files, clocks or threads: time, randomness and the index are passed in.
`node` is the hub that routes each fact to its machine.
"""
