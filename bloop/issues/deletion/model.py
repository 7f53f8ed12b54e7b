"""Where deleted issues are until their rows are gone, and what a deletion answers. Pure."""

from __future__ import annotations

from typing import NamedTuple

DELETED_PROJECT = -1  # owns deleted issues; it is a deleted project itself, so nobody sees them
COUNTED_MAX = 2000  # for pages: counting further would cost more than a page may
AT_ONCE_MAX = 200  # issues that one transaction takes out of their project; longer lists wait in issues_to_delete


class Deleted(NamedTuple):
    """What was deleted: issues, and the events counted under them, also those whose details had expired."""

    issues: int = 0
    events: int = 0


class DeletionProgress(NamedTuple):
    """What background work still has to do, counted up to a limit."""

    waiting: int  # issues still in their project
    purging: int  # issues that nobody sees any more, some of whose rows remain

    @property
    def is_more(self) -> bool:
        """Whether the numbers are not the whole of it."""
        return max(self.waiting, self.purging) >= COUNTED_MAX
