"""Pages of the API's lists: `limit` and `offset` for clients that think so, a cursor for those that follow links.

N1  Every page but the last carries `Link: <…>; rel="next"`. Following it neither repeats nor skips a row that did not
    change meanwhile.
N2  A client that adds up offsets gets the same: where each page ended is remembered for a while, by what was asked and
    not by who asked, and the next offset starts there.
N3  An offset that is not remembered is skipped inside the index.
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
    """Where a page starts: behind a key, or after skipping rows from the top."""

    limit: int
    offset: int | None  # None: the client follows a cursor
    before: PageKey | None
    skip: int


class Pager:
    """Remembers page ends (N2). One per process, shared by threads and resources."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ends: OrderedDict[tuple[Hashable, int], tuple[float, PageKey]] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, req: falcon.Request, what: tuple[Hashable, ...]) -> Start:
        """`what` names the list: its kind, projects, filters and order.

        Raises:
            InvalidParameter: a cursor of another list, or none of ours.
        """
        limit, offset, cursor = params.limit(req), params.offset(req), req.get_param("cursor")
        if cursor:
            return Start(limit, None, _decode(cursor, kind=str(what[0])), 0)
        with self._lock:
            known = self._ends.get((what, offset))
        if offset and known is not None and self._monotonic() - known[0] <= REMEMBERED_S:
            return Start(limit, offset, known[1], 0)
        return Start(limit, offset, None, offset)

    def finish(
        self, req: falcon.Request, resp: falcon.Response, what: tuple[Hashable, ...], start: Start, end: PageKey | None
    ) -> None:
        """Say where the next page is; `end` None: there is none."""
        if end is None:
            return
        if start.offset is not None:
            with self._lock:
                self._ends[what, start.offset + start.limit] = (self._monotonic(), end)
                self._ends.move_to_end((what, start.offset + start.limit))
                while len(self._ends) > REMEMBERED_MAX:
                    self._ends.popitem(last=False)
        query = {name: value for name, value in req.params.items() if name not in ("offset", "cursor")}
        query |= {"limit": str(start.limit), "cursor": _encode(end, kind=str(what[0]))}
        path = quote(req.path, safe="/%")
        resp.set_header("Link", f'<{path}?{urlencode(query, doseq=True)}>; rel="next"')


def _encode(key: PageKey, *, kind: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((kind, *key))).rstrip(b"=").decode()


def _decode(cursor: str, *, kind: str) -> PageKey:
    if len(cursor) <= CURSOR_LENGTH_MAX:
        try:
            data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            given, value, tie, row_id = msgspec.json.decode(data, type=tuple[str, int, str, int])
            if given == kind and value in _INT64 and row_id in _INT64:
                return PageKey(value, tie, row_id)
        except (binascii.Error, ValueError, msgspec.MsgspecError):
            pass
    raise InvalidParameter("cursor", "is not a cursor of this list; start again without it")
