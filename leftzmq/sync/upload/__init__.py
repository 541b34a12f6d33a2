"""Answers get: chunks for other devices, and what happens when bytes of ours have changed on the
disk."""
