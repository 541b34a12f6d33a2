"""The door of an open invitation, and who knocks at one: sockets that are there for minutes, apart
from all others."""
