"""Numbers that only /metrics shows: what was answered, and how long things took. They live as words in the ring.

    a lane's words     a block for each route, of sixteen dialects with four each: its answers by status, how long it
                       took · then what the HTTP server refused before there was a route, by code · words to spare
    the writer's       how long commits took · how long records waited until they could be seen · words to spare

METERS-1  A word has one writer and only grows, until its ring is created again. Readers add up the words of all lanes.
METERS-2  The hot path adds to a list of its own process, and about once a second the sums go to the ring. A process
    that is killed loses its last second of these numbers and nothing else: what becomes of records is the ledger's.
METERS-3  The ring outlives an upgrade: places are appended, never given another meaning. A dialect keeps its number, a
    route its place in the dialect, an answer its word in the block.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

NO_ROUTE = "none"  # refused before there was one
OTHER = "other"


class Route(NamedTuple):
    """A route that takes records in, and where its numbers are: its place within its dialect's block of words."""

    dialect: int  # below DIALECTS_MAX
    place: int  # below ROUTES_MAX
    method: str
    path: str  # as documented

    @property
    def first_word(self) -> int:
        return (self.dialect * ROUTES_MAX + self.place) * BLOCK_WORDS


class Answer(NamedTuple):
    method: str
    route: str
    code: str


class HistogramReading(NamedTuple):
    """A histogram at one moment: the count up to each bound and above the last, not cumulative, and the sum."""

    bounds_s: tuple[float, ...]
    counts: list[int]
    sum_s: float


class Timing:
    """The words of a histogram: one for each bound, one for longer values, and one for the sum."""

    def __init__(self, first_word: int, per_second: int, bounds_s: tuple[float, ...]) -> None:
        self.first_word, self.bounds_s, self._per_second = first_word, bounds_s, per_second
        self.bounds = tuple(round(bound * per_second) for bound in bounds_s)
        self.sum_word = first_word + len(bounds_s) + 1

    def added(self, values: Iterable[tuple[int, int]]) -> dict[int, int]:
        """The increments by word for pairs of (value, count); values in the histogram's own unit, 0 if below."""
        sums: dict[int, int] = {}
        for value, count in values:
            word = self.first_word + bisect_left(self.bounds, value)
            sums[word] = sums.get(word, 0) + count
            sums[self.sum_word] = sums.get(self.sum_word, 0) + max(0, value) * count
        return sums

    def read(self, words: Sequence[int]) -> HistogramReading:
        counts = list(words[self.first_word : self.sum_word])
        return HistogramReading(self.bounds_s, counts, words[self.sum_word] / self._per_second)


# An ingest worker's words: blocks, then refusals.
DIALECTS_MAX, ROUTES_MAX, BLOCK_WORDS = 16, 4, 32
REFUSALS_WORD = DIALECTS_MAX * ROUTES_MAX * BLOCK_WORDS
REFUSALS = ("400", "408", "413", "414", "417", "431", "500", "501", "503", "505", OTHER)
CODES = ("200", "400", "401", "429", "500", "503", "202", "403", "404", "413", "415")  # of a route's own method
CLASSES = ("2xx", "4xx", "5xx")  # what other codes of its own method are counted as
TIMING_WORD = 18  # within a block

NS = 1_000_000_000
ANSWER_BOUNDS_S = (0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5)
ANSWER_BOUNDS_NS = tuple(round(bound * NS) for bound in ANSWER_BOUNDS_S)

# The writer's words.
FLUSH = Timing(0, NS, (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0))
VISIBLE = Timing(16, 1000, (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0))


class RouteMeters:
    """The places of these routes' numbers among a lane's words, and how to read them back."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.answers = {Answer(NO_ROUTE, NO_ROUTE, code): REFUSALS_WORD + n for n, code in enumerate(REFUSALS)}
        self.took: dict[str, Timing] = {}
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        for route in routes:
            self.answers |= {answer: route.first_word + n for n, answer in enumerate(_answers_of(route))}
            self.took[route.path] = Timing(route.first_word + TIMING_WORD, NS, ANSWER_BOUNDS_S)
            self._patterns.append((_pattern(route.path), route.path))

    def read(self, words: Sequence[int]) -> dict[Answer, int]:
        """How often what was answered, by the words of a lane or their sums."""
        return {answer: words[word] for answer, word in self.answers.items()}

    def nearest(self, method: str, path: str, code: str) -> Answer:
        """The answer's own line, or the nearest: another code of its class, another method, no route of ours."""
        route = next((known for pattern, known in self._patterns if pattern.fullmatch(path)), NO_ROUTE)
        if route == NO_ROUTE:
            method = NO_ROUTE
        codes = (Answer(method, route, code), Answer(method, route, f"{code[:1]}xx"))
        tries = (*codes, Answer(OTHER, route, code), Answer(OTHER, route, OTHER))
        return next((known for known in tries if known in self.answers), Answer(NO_ROUTE, NO_ROUTE, OTHER))


class Tally:
    """The answers of an ingest worker since the last `take`. One thread.

    A cell is a list as long as a `Timing` has words. The code that answers keeps it and adds to it: 0.2 µs a request.
    """

    def __init__(self, meters: RouteMeters) -> None:
        self._meters = meters
        self._cells: dict[Answer, list[int]] = {}

    def cell(self, method: str, path: str, status: str) -> list[int]:
        """The cell that counts an answer of the app with this status line; every spelling of a path has one."""
        return self._cell(self._meters.nearest(method, path, status[:3]))

    def note_refusal(self, code: int) -> None:
        """An answer of the HTTP server itself."""
        self._cell(self._meters.nearest(NO_ROUTE, NO_ROUTE, str(code)))[0] += 1

    def take(self) -> dict[int, int]:
        """The sums to add, by word of the lane; then count from zero again."""
        sums: dict[int, int] = {}
        for answer, cell in self._cells.items():
            if not any(cell):
                continue
            sums[self._meters.answers[answer]] = sum(cell[:-1])
            if (timing := self._meters.took.get(answer.route)) is not None:
                for word, value in enumerate(cell, timing.first_word):
                    if value:
                        sums[word] = sums.get(word, 0) + value
            cell[:] = [0] * len(cell)
        return sums

    def _cell(self, answer: Answer) -> list[int]:
        return self._cells.setdefault(answer, [0] * (len(ANSWER_BOUNDS_NS) + 2))


def add_up(rows: Iterable[Sequence[int]]) -> list[int]:
    """Word by word over all lanes (METERS-1); empty for none."""
    return [sum(column) for column in zip(*rows, strict=True)]


def merged(*added: Mapping[int, int]) -> dict[int, int]:
    """Several answers of `Timing.added` as one; their words differ."""
    return {word: value for one in added for word, value in one.items()}


def _answers_of(route: Route) -> tuple[Answer, ...]:
    """The answers that a block counts, word by word."""
    own = (Answer(route.method, route.path, code) for code in (*CODES, *CLASSES))
    return (*own, Answer("OPTIONS", route.path, "204"), *(Answer(OTHER, route.path, code) for code in ("405", OTHER)))


def _pattern(path: str) -> re.Pattern[str]:
    """However many slashes, and one segment for each `{name}`."""
    segments = ("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/"))
    return re.compile("/+".join(segments) + "/*")
