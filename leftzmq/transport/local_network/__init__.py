"""Meeting other devices in the local network (mDNS): word doors, and the agents of devices that we
know already."""
