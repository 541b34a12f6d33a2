"""Where old versions go, how long they stay, and which of them go first when there is no room.

Nothing of a user's leaves a share but into here.
"""
