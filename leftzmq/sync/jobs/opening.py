"""The job that opens a stopped folder again."""

from __future__ import annotations

from dataclasses import dataclass

from leftzmq.errors import Stop


@dataclass(frozen=True, slots=True)
class OpenFolder:
    """Close what is still open of the folder's share, and open the folder as at a start. Not while
    another job of the folder is running."""

    folder: str


@dataclass(frozen=True, slots=True)
class FolderOpened:
    """stop: None: the folder is open, and waits to be taken over (actions.TakeOver). Else why it is
    not."""

    folder: str
    stop: Stop | None
