"""Bugs that are planted one at a time into a copy of the tree, to see whether they are caught.

`python -m tests.planted` does it; it is no part of the ordinary test run, but `test_planted.py`
looks that every anchor still is where its bug says. A bug that nothing catches is a check that is
missing.

    bug        what a bug is, and planting it
    on_disk    the bugs of the write order
    chunks     the bugs of chunks on their way, and of looks at the share
    versions   the bugs of tree/ and of which version is ours
    devices    the bugs of what devices tell, fetch and do with what they were told
    programme  all of them
    copied     a copy of the tracked files, in which everything runs
    rings      the simulation, the laws and the tests, cheapest first
"""
