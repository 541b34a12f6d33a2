"""Answers the questions that the command line asks of a running agent.

Must not decide anything about files by itself.
"""
