"""Where a large file is cut into chunks: FastCDC 2020 with a seed from the folder's secret.

Knows bytes in a buffer. Must not know where they came from; the caller reads them. The sizes are
constants of the protocol: two devices that cut differently give one file two ids.
"""

from __future__ import annotations

from typing import Final

from pyfastcdc import FastCDC

from leftzmq.content.keys import FolderKeys
from leftzmq.errors import PlatformError

MIN_CHUNK_BYTES: Final = 64 << 10
AVERAGE_CHUNK_BYTES: Final = 256 << 10
MAX_CHUNK_BYTES: Final = 1 << 20
ONE_CHUNK_MAX_BYTES: Final = 256 << 10
"""A file of at most this size is one chunk and is never cut here."""

NORMALISED_LEVEL: Final = 2
"""borg measured 0.74 -> 0.31 for the spread of chunk sizes with level 2 (its PR 9823)."""


def require_compiled() -> None:
    """Check that pyfastcdc cuts in C. Raises PlatformError.

    Its Python fallback gives the same cuts at 0.5 % of the speed, holding the GIL.
    """
    if FastCDC.__module__.partition(".")[2].partition(".")[0] != "cy":
        raise PlatformError(
            "only the slow Python variant of pyfastcdc can be loaded",
            where="pyfastcdc",
            do="install a wheel for this Python, or build it with PYFASTCDC_REQUIRE_CYTHON=1 "
            "and a C compiler: pip install --force-reinstall --no-cache-dir pyfastcdc",
        )


class Cutter:
    """Cuts the files of one folder.

    One per thread: two threads must not use pyfastcdc's objects at once. The caller keeps it in its
    threading.local.
    """

    __slots__ = ("_fastcdc",)

    def __init__(self, keys: FolderKeys) -> None:
        self._fastcdc = FastCDC(
            AVERAGE_CHUNK_BYTES,
            min_size=MIN_CHUNK_BYTES,
            max_size=MAX_CHUNK_BYTES,
            normalized_chunking=NORMALISED_LEVEL,
            seed=keys.cut_seed,
        )

    def cut(self, window: memoryview, *, last: bool) -> list[int]:
        """Return the lengths in bytes of the chunks of `window`, which begins at a chunk's border.

        last: the window ends where the file ends, so all of it is cut. Otherwise the last chunk is
        left out if the window's end may have cut it short, and the next window begins at the sum of
        the lengths. The cuts are then the same as for the whole file at once. A window of
        MAX_CHUNK_BYTES or more always gives at least one chunk.
        """
        lengths = [chunk.length for chunk in self._fastcdc.cut_buf(window)]
        # A border that FastCDC found depends on nothing after it, nor does a border at the maximum
        # size. Only a chunk that ends because the window ends may continue in the file.
        if not last and lengths and lengths[-1] != MAX_CHUNK_BYTES:
            lengths.pop()
        return lengths
