"""What the command line asks of a running agent, and what it is answered.

Decides nothing about files by itself.
"""
