"""A folder that was stopped, opened anew."""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.errors import Stop


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """Close what is still open of the folder's share, and open the folder as a start does. Not
    while another job of the folder is under way."""

    folder: str


@dataclass(frozen=True, slots=True)
class FolderOpened:
    """None: it is open, and waits to be taken over (actions.TakeOver). Else why it is not."""

    folder: str
    stop: Stop | None
