"""Paging of the API's lists: `limit` and `offset`, or a cursor for clients that follow links.

PAGING-1  Every page but the last has `Link: <…>; rel="next"`. Following it neither repeats nor skips rows that did not
          change meanwhile.
PAGING-2  Clients that add up offsets get the same: the end of each page is remembered for a while, by list, not by
          client, and the next offset starts there.
PAGING-3  Other offsets skip rows inside the index.
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple
from urllib.parse import quote, urlencode

import falcon
import msgspec

from bloop.base.errors import InvalidParameter
from bloop.db.walk import PageKey
from bloop.site import params

REMEMBERED_MAX = 1024  # page ends, about 300 KB
REMEMBERED_S = 60.0
CURSOR_LENGTH_MAX = 512
_INT64 = range(-(2**63), 2**63)


class Start(NamedTuple):
    """Where a page starts: after a key, or after skipping rows."""

    limit: int
    offset: int | None  # None: the client uses a cursor
    before: PageKey | None
    skip: int


class Pager:
    """Remembers page ends (PAGING-2). One per process, shared by threads and resources."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ends: OrderedDict[tuple[Hashable, int], tuple[float, PageKey]] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, req: falcon.Request, listing: tuple[Hashable, ...]) -> Start:
        """`listing` identifies the list: its kind, projects, filters and order.

        Raises:
            InvalidParameter: the cursor is invalid or of another list.
        """
        limit, offset, cursor = params.limit(req), params.offset(req), req.get_param("cursor")
        if cursor:
            return Start(limit, None, _decode(cursor, kind=str(listing[0])), 0)
        with self._lock:
            remembered = self._ends.get((listing, offset))
        if offset and remembered is not None and self._monotonic() - remembered[0] <= REMEMBERED_S:
            return Start(limit, offset, remembered[1], 0)
        return Start(limit, offset, None, offset)

    def finish(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        listing: tuple[Hashable, ...],
        start: Start,
        end: PageKey | None,
    ) -> None:
        """Add the link to the next page; `end` None: there is none."""
        if end is None:
            return
        if start.offset is not None:
            with self._lock:
                self._ends[listing, start.offset + start.limit] = (self._monotonic(), end)
                self._ends.move_to_end((listing, start.offset + start.limit))
                while len(self._ends) > REMEMBERED_MAX:
                    self._ends.popitem(last=False)
        query = {name: value for name, value in req.params.items() if name not in ("offset", "cursor")}
        query |= {"limit": str(start.limit), "cursor": _encode(end, kind=str(listing[0]))}
        path = quote(req.path, safe="/%")
        resp.set_header("Link", f'<{path}?{urlencode(query, doseq=True)}>; rel="next"')


def _encode(key: PageKey, *, kind: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((kind, *key))).rstrip(b"=").decode()


def _decode(cursor: str, *, kind: str) -> PageKey:
    if len(cursor) <= CURSOR_LENGTH_MAX:
        try:
            data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            cursor_kind, value, tie, row_id = msgspec.json.decode(data, type=tuple[str, int, str, int])
            if cursor_kind == kind and value in _INT64 and row_id in _INT64:
                return PageKey(value, tie, row_id)
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            pass
    raise InvalidParameter("cursor", "is not a cursor of this list; start again without it")
