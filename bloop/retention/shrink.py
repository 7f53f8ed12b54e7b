"""How much of a file's free room is given back to the file system. Pure.

Room inside the file is used again by the next events, and giving it back costs a page moved for most pages, so a
clean-up by the clock keeps what the next days fill anyway.
"""

from __future__ import annotations

SHRINK_BYTES_MIN = 16 * 1024 * 1024  # less than this is not worth the moving
SHRINK_ABOVE, SHRINK_TO = 0.20, 0.10  # of the file


def pages_to_free(page_count: int, free_pages: int, page_bytes: int, *, everything: bool) -> int:
    """Free pages to give back now; `everything` when somebody asked for room, or the disk needs it."""
    if everything:
        return free_pages
    if free_pages * page_bytes < SHRINK_BYTES_MIN or free_pages < page_count * SHRINK_ABOVE:
        return 0
    # So that afterwards SHRINK_TO of the smaller file are free.
    return free_pages - int((page_count - free_pages) * SHRINK_TO / (1 - SHRINK_TO))
