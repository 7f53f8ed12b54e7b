"""Which fingerprints a search for events may find, and which dims fulfil it: each is asked about once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bloop.db.engine import Db
from bloop.issues.events import search_read as read
from bloop.issues.events.match import EventTerms
from bloop.issues.search import conditions
from bloop.issues.search.terms import Query
from bloop.records.event_record import decode_dims

NO_ISSUE = 0


class Owners:
    """The issues of fingerprints, of those that are in the projects and fulfil the terms about issues."""

    def __init__(
        self, db: Db, project_ids: Sequence[int], query: Query, now_ms: int, issue_ids: Sequence[int] | None
    ) -> None:
        self._db, self._project_ids = db, project_ids
        self._fragments, self._bindings = conditions.conditions(query, now_ms)
        self._passed: set[int] = set()
        few = issue_ids
        if few is None and (candidates := conditions.candidates(db, project_ids, conditions.hints(query))) is not None:
            few = candidates.ids
        self.are_known = few is not None  # all of them: no other fingerprint need be asked about
        self._known: dict[int, int] = {}
        if few is not None:
            self._known = read.fingerprints_of(db, few, project_ids, self._fragments, self._bindings)

    @property
    def fingerprint_ids(self) -> list[int]:
        """Those found so far; where `are_known`, all there are."""
        return [fingerprint_id for fingerprint_id, issue_id in self._known.items() if issue_id]

    def of(self, fingerprint_ids: Iterable[int]) -> dict[int, int]:
        """Fingerprint → issue; those that the search may not find are missing, as are issues passed over."""
        wanted = set(fingerprint_ids)
        if not self.are_known and (new := wanted - self._known.keys()):
            self._known.update(dict.fromkeys(new, NO_ISSUE))
            self._known.update(read.owners(self._db, new, self._project_ids, self._fragments, self._bindings))
        found = {key: self._known.get(key, NO_ISSUE) for key in wanted}
        return {key: issue_id for key, issue_id in found.items() if issue_id and issue_id not in self._passed}

    def pass_over(self, issue_id: int) -> None:
        """Find no more events of this issue."""
        self._passed.add(issue_id)


class FittingDims:
    """Which dims fulfil the terms about environment, release, source and route."""

    def __init__(self, db: Db, terms: EventTerms) -> None:
        self._db, self._terms = db, terms
        self._by_id = {0: True}  # no row: the event has them
        self._by_bytes: dict[bytes, bool] = {}

    def among(self, dims_ids: Iterable[int]) -> set[int]:
        """Those that fit, or may."""
        wanted = set(dims_ids)
        if new := wanted - self._by_id.keys():
            self._by_id.update(dict.fromkeys(new, False))
            self._by_id.update((key, self.fit(dims)) for key, dims in read.dims(self._db, list(new)))
        return {key for key in wanted if self._by_id[key]}

    def fit(self, dims: bytes) -> bool:
        """Raises: UnreadableRecord."""
        fits = self._by_bytes.get(dims)
        if fits is None:
            fits = self._by_bytes[dims] = self._terms.fit_dims(decode_dims(dims))
        return fits
