"""From tickets to whole `.lefting` files: what to ask of whom, how much, in which order.

Must not know versions that are not tickets, nor how a file gets its final name.
"""
