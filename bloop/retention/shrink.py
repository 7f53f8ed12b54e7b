"""How much free space inside the database file is returned to the file system. Pure.

New events reuse space inside the file, and returning it costs a page move for most pages. So a scheduled clean-up keeps
the space that the next days fill anyway.
"""

from __future__ import annotations

SHRINK_BYTES_MIN = 16 * 1024 * 1024  # less is not worth the page moves
SHRINK_ABOVE, SHRINK_TO = 0.20, 0.10  # of the file


def pages_to_free(page_count: int, free_pages: int, page_bytes: int, *, everything: bool) -> int:
    """Free pages to return now; `everything` when a user requested it or the disk needs it."""
    if everything:
        return free_pages
    if free_pages * page_bytes < SHRINK_BYTES_MIN or free_pages < page_count * SHRINK_ABOVE:
        return 0
    # So that afterwards SHRINK_TO of the smaller file are free.
    return free_pages - int((page_count - free_pages) * SHRINK_TO / (1 - SHRINK_TO))
