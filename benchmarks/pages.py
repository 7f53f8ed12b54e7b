"""Measures the pages over many issues: `python -m benchmarks.pages`, or `make bench-pages`.

A real bloop over a database of 100,000 issues answers one request after the other on a kept-alive connection; times are
from the first byte sent to the last received, on loopback. Searches cover rare and common words, phrases, terms that
match a few issues or none, and terms that no index serves. With `--events 1000000 --days 30` the events are spread over
a month, and so are the pages that are asked for. Exits 1 when a group's 95th percentile is above its limit.
"""

from __future__ import annotations

import argparse
import http.client
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from rich.console import Console
from rich.table import Table

from benchmarks import dataset
from benchmarks.dataset import Dataset
from benchmarks.queries import _get, connect, sign_in
from bloop.base.clock import DAY_MS
from bloop.bench.instance import BenchInstance
from bloop.bench.percentiles import summary_ms
from bloop.db.walk import PageKey
from bloop.issues.listing.state import IssueView
from bloop.issues.read import Sort, Tab

P95_MS_MAX = 50.0
BY_LAST_SEEN, BY_NUMBER, ISSUE = "issues of the month by last seen", "issues of the month by a number", "issue"
P95_MS_MAX_OF = {
    BY_NUMBER: 150.0,
    BY_LAST_SEEN: 30.0,
    ISSUE: 30.0,
    "events one by one": 1000.0,
    "issues by their events": 150.0,
}  # over a month
WARM_UP = 2
SHORT_DAYS = 3  # less than retention keeps
SEARCHES = (
    "undefined",  # in every sixth issue
    "reading 'order'",
    "\"Cannot read properties of undefined (reading 'invoice')\"",
    "in part 4711",  # in one
    '"in part 99"',
    "deadline exceeded",
    "type:KeyError",
    "type:sqlalchemy* refund",
    "route:/api/checkout/*",
    "level:fatal",
    "env:staging",
    "release:4.0.0-rc1",
    "release:0.0.0",  # in none
    "env:nowhere",
    "source:nobody",  # in none, and not indexed
    "is:ignored connect",
    "is:resolved,muted -timeout last:1h",
    "-undefined -failed",
    "first:2h is:open",
    "zz",  # too short for the index, in none
    "qwertyuiop",
    "ECONNREFUSED 10.0.1",
    "express/lib",
)


def main() -> int:
    arguments = _arguments()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        console.print(f"building {arguments.events:,} events of {arguments.issues:,} issues")
        data = dataset.build(
            folder / "bloop.db",
            arguments.events,
            arguments.issues,
            names=arguments.names,
            more_issues=arguments.more_issues,
            span_ms=arguments.days * DAY_MS,
        )
        console.print(f"{dataset.index_events(folder / 'bloop.db'):,} blocks of the event index; measuring")
        kept = {"BLOOP__RETENTION__RAW_EVENTS_DAYS": str(arguments.days + 7)}
        with BenchInstance(folder, **kept) as instance, closing(connect(instance.port)) as connection:
            headers = {"Cookie": sign_in(connection, data.login_token), "Accept": "text/html"}
            asked = _paths_of_month(data) if arguments.days > SHORT_DAYS else _paths(data)
            groups = {name: _measure(connection, paths, headers, arguments.repeats) for name, paths in asked}
    return _report(groups, data)


def _paths(data: Dataset) -> Iterator[tuple[str, list[str]]]:
    """The requested paths, by group."""
    hot, cold = quote(data.hot_fingerprint), quote(data.cold_fingerprint)
    deep = IssueView(tab=Tab.ALL).at(PageKey(*data.deep_place))
    yield (
        "inbox",
        [
            "/",
            *(IssueView(tab=tab).href for tab in (Tab.ALL, Tab.IGNORED, Tab.RESOLVED)),
            *(IssueView(tab=Tab.ALL, sort=sort).href for sort in (Sort.FIRST_SEEN, Sort.EVENTS)),
            deep.href,
            IssueView(release=data.release).href,
            IssueView(env=data.environment).href,
        ],
    )
    yield "issue page", [f"/issues/{hot}", f"/issues/{cold}"]
    yield "issue as Markdown", [f"/issues/{hot}.md", f"/issues/{cold}.md"]
    if data.crowded_fingerprint:
        yield from _paths_of_names(quote(data.crowded_fingerprint))
    yield from _paths_of_events(data.events)
    yield from _paths_of_scans()
    yield "search", [IssueView(q=q, tab=tab).href for q in SEARCHES for tab in (Tab.OPEN, Tab.ALL)]


def _paths_of_month(data: Dataset) -> Iterator[tuple[str, list[str]]]:
    """Pages whose numbers are of the last 30 days."""
    month = IssueView(t="30d")
    narrow = (month, replace(month, env=data.environment), replace(month, release=data.release))
    by_last_seen = [view.on_tab(tab).href for view in narrow for tab in (Tab.OPEN, Tab.ALL)]
    yield BY_LAST_SEEN, [*by_last_seen, month.on_tab(Tab.REGRESSED).href]
    sorts = (Sort.EVENTS, Sort.USERS, Sort.TREND)
    yield BY_NUMBER, [view.sorted_by(sort).href for view in narrow for sort in sorts]
    hot, cold = quote(data.hot_fingerprint), quote(data.cold_fingerprint)
    issue = f"/issues/{hot}?t=30d"
    yield ISSUE, [issue, f"{issue}&env={data.environment}", f"/issues/{cold}?t=30d"]
    terms = ("request:set-777777", f"user:{123:032x}", "http:500", f"http:500 env:{data.environment}")
    yield "events by an indexed key", [f"/v1/events?q={quote(term)}" for term in terms]
    yield "page of events by an indexed key", [f"/search?t=30d&q={quote(term)}" for term in terms]


def _paths_of_events(events: int) -> Iterator[tuple[str, list[str]]]:
    """Searches for single events that the index answers, and two that look at events one by one."""
    searches = (
        *(f"request:set-{n}" for n in (events - 1, events // 2, 1, events)),  # the last is in none
        *(f"user:{n:032x}" for n in (77, 40_000)),
        "http:500",
        "http:>=500 env:production",
        "http:418",  # in none
        "tag.region:eu",
        "level:fatal http:500",
        "has:device",
        "in part 4711 http:500",
    )
    yield "events by an indexed key", [f"/search?t=30d&q={quote(q)}" for q in searches]
    yield "the same, API", [f"/v1/events?q={quote(q)}" for q in searches]
    yield "issues by their events", [f"/?t=30d&tab=all&q={quote(q)}" for q in searches]


def _paths_of_scans() -> Iterator[tuple[str, list[str]]]:
    """What stops after a number of events; the limit does not hold for these."""
    yield "events one by one", [f"/search?t=30d&q={quote(q)}" for q in ("message:nowhere", "-has:request")]
    yield "completion", [f"/search/complete?q={quote(q)}" for q in ("re", "release:", "request:", "tag.", "type:")]


def _paths_of_names(crowded: str) -> Iterator[tuple[str, list[str]]]:
    """Pages and answers that read lists of names, or are about an issue with every release."""
    yield "an issue with every release", [f"/issues/{crowded}", f"/issues/{crowded}.md"]
    yield (
        "filters by a name",
        [
            IssueView(tab=Tab.ALL, release="r77").href,
            IssueView(tab=Tab.ALL, env="e77").href,
            IssueView(tab=Tab.ALL, route="/r/77").href,
            IssueView(tab=Tab.ALL, release="r77", env="e77").href,
        ],
    )
    yield (
        "lists of names",
        [
            "/v1/stats",
            "/v1/trends?hours=72",
            "/v1/errors?limit=50",
            f"/v1/errors/{crowded}",
            f"/v1/errors/{crowded}/trend",
        ],
    )
    yield "other pages", ["/settings/alerts/new", "/settings/storage", "/issues/delete?tab=all"]


def _measure(
    connection: http.client.HTTPConnection, paths: list[str], headers: dict[str, str], repeats: int
) -> dict[str, list[float]]:
    """Seconds per path."""
    taken: dict[str, list[float]] = {path: [] for path in paths}
    for turn in range(repeats + WARM_UP):
        for path in paths:
            started = time.perf_counter()
            _get(connection, path, headers)
            if turn >= WARM_UP:
                taken[path].append(time.perf_counter() - started)
    return taken


def _report(groups: dict[str, dict[str, list[float]]], data: Dataset) -> int:
    table = Table(title=f"pages over {data.issues:,} issues, {data.events:,} events; ms")
    for column in ("page", "p50", "p95", "max"):
        table.add_column(column, justify="left" if column == "page" else "right", overflow="fold")
    is_slow = False
    for name, taken in groups.items():
        total = summary_ms(second for seconds in taken.values() for second in seconds)
        is_slow = is_slow or total["p95"] > P95_MS_MAX_OF.get(name, P95_MS_MAX)
        table.add_section()
        table.add_row(f"[bold]{name}", *(f"[bold]{total[key]:.1f}" for key in ("p50", "p95", "max")))  # type: ignore[literal-required]
        for path, seconds in taken.items():
            path_times = summary_ms(seconds)
            table.add_row(f"  {path}", *(f"{path_times[key]:.1f}" for key in ("p50", "p95", "max")))  # type: ignore[literal-required]
    Console(width=110).print(table)
    return int(is_slow)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__.partition("\n")[0])
    parser.add_argument("--issues", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--names", type=int, default=0, help="releases, environments and routes on top, of each")
    parser.add_argument("--more-issues", type=int, default=1_000_000, help="issues on top, where there are --names")
    parser.add_argument("--days", type=int, default=SHORT_DAYS, help="over which the events are spread")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=None, help="a folder on a disk; a temporary one by default")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
