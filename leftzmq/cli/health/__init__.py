"""The commands that say how this device and the others are."""
