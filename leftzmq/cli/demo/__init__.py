"""`leftzmq demo`: three agents on this machine live through a story, and a table proves it."""
