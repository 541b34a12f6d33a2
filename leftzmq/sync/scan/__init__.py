"""When the agent looks at which path of the share, and what a look means.

Must not know other devices.
"""
