"""How many bytes a second may be sent and received: rates, timetables and token buckets.

Pure values and one small machine. Must not know devices, folders, clocks or the config's keys.
"""
