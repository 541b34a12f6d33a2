"""`leftzmq demo`: three agents on this machine go through a story, and a table shows the proof."""
