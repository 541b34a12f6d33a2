"""How all devices are: what this one tells of itself, and what it shows of all of them."""
