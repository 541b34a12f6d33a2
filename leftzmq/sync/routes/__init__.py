"""Tables that say which machine each fact goes to: one module for each kind of fact.

Facts about the agent as a whole (its start, its clock, its questions) are handled by the hub
itself: see node.
"""

from leftzmq.sync.routes.chunks import ChunkRoutes
from leftzmq.sync.routes.devices import DeviceRoutes
from leftzmq.sync.routes.folders import FolderRoutes
from leftzmq.sync.routes.questions import QuestionRoutes
from leftzmq.sync.routes.share import ShareRoutes
from leftzmq.sync.routes.table import Routes, Stir
from leftzmq.sync.routes.tickets import TicketRoutes

__all__ = [
    "ChunkRoutes",
    "DeviceRoutes",
    "FolderRoutes",
    "QuestionRoutes",
    "Routes",
    "ShareRoutes",
    "Stir",
    "TicketRoutes",
]
