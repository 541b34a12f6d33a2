"""Turns tickets into whole `.lefting` files: what to request from which device, how much, in which
order.

Must not know versions that are not tickets, nor how a file gets its final name.
"""
