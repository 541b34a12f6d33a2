"""How many bytes a second may be sent and received: rates, timetables, token buckets, and which
device may be asked or given something now.

Pure values and machines. Must not know folders, clocks, the config's keys, or what is sent.
"""
