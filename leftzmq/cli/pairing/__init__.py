"""The commands by which devices come to each other: share, join, peers, folders, invite."""
