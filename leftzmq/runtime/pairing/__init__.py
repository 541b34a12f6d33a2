"""Invitations, and the devices and folders that they bring, while the agent runs.

`desk` is the way in. `learnt_file` has what was learnt, and alone writes it.
"""
