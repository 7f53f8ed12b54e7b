"""Measures lists, details and pages over a large database, one request at a time on a kept-alive connection."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import closing
from urllib.parse import quote, urlencode

from benchmarks import dataset
from benchmarks.bench import Bench
from benchmarks.dataset import Dataset
from bloop.bench.instance import BenchInstance
from bloop.bench.percentiles import percentile
from bloop.db.walk import PageKey
from bloop.issues.listing.state import IssueView
from bloop.issues.read import Tab

DEEP_OFFSET = 499 * 50  # page 500
HTTP_TIMEOUT_S = 30.0
WARM_UP = 3

Ask = Callable[[], bytes]


def run(bench: Bench) -> None:
    """Measure the API and the pages."""
    scale = bench.scale
    folder = bench.folder / "queries"
    folder.mkdir()
    bench.say(f"building {scale.dataset_events:,} events of {scale.dataset_issues:,} issues")
    started = time.monotonic()
    data = dataset.build(folder / "bloop.db", scale.dataset_events, scale.dataset_issues)
    took = time.monotonic() - started
    bench.report.add(
        "dataset.events_per_s",
        data.events / took,
        "events/s",
        f"one process: {data.events:,} events of {data.issues:,} issues encoded and stored in {took:.0f} s",
        bytes=(folder / "bloop.db").stat().st_size,
    )
    with BenchInstance(folder) as instance, closing(connect(instance.port)) as connection:
        bench.say("asking")
        cookie = sign_in(connection, data.login_token)
        bearer = {"Authorization": f"Bearer {data.token}"}
        for name, path in _api_paths(data).items():
            _time(bench, f"api.{name}", connection, path, bearer)
        for name, path in _page_paths(data).items():
            _time(bench, f"page.{name}", connection, path, {"Cookie": cookie})


def _api_paths(data: Dataset) -> dict[str, str]:
    def errors(**params: str | int) -> str:
        return "/v1/errors?" + urlencode({"limit": 50, **params})

    hot, cold = quote(data.hot_fingerprint), quote(data.cold_fingerprint)
    return {
        "list_page_1": errors(),
        "list_page_500": errors(offset=DEEP_OFFSET),
        "list_by_events": errors(sort="total_count"),
        "list_unresolved": errors(status="unresolved"),
        "list_ignored": errors(status="ignored"),
        "list_environment": errors(environment=data.environment),
        "list_release": errors(release=data.release),
        "list_release_page_100": errors(release=data.release, offset=99 * 50),
        "detail_hot": f"/v1/errors/{hot}",
        "detail_cold": f"/v1/errors/{cold}",
        "occurrences_hot": f"/v1/errors/{hot}/occurrences?limit=50",
        "trend_hot": f"/v1/errors/{hot}/trend",
        "trends": "/v1/trends?hours=72",
        "stats": "/v1/stats",
    }


def _page_paths(data: Dataset) -> dict[str, str]:
    deep = IssueView(tab=Tab.ALL).at(PageKey(*data.deep_place))
    return {
        "list_page_1": "/",
        "list_page_500": deep.href,
        "list_release": IssueView(release=data.release).href,
        "list_search": IssueView(q="deadline exceeded").href,
        "issue_hot": f"/issues/{quote(data.hot_fingerprint)}",
        "issue_cold": f"/issues/{quote(data.cold_fingerprint)}",
    }


def _time(bench: Bench, name: str, connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> None:
    taken, size = [], 0
    for turn in range(bench.scale.query_repeats + WARM_UP):
        started = time.perf_counter()
        size = len(_get(connection, path, headers))
        if turn >= WARM_UP:
            taken.append(time.perf_counter() - started)
    taken.sort()
    p50, p95 = (percentile(taken, p) * 1000 for p in (50, 95))
    bench.report.add(
        f"{name}.p95", p95, "ms", f"p50 {p50:.1f} ms; {size / 1024:.0f} KiB answer", p50=p50, p95=p95, path=path
    )


def connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=HTTP_TIMEOUT_S)


def _get(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> bytes:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"GET {path} answered {answer.status}: {body[:200]!r}")
    return body


def sign_in(connection: http.client.HTTPConnection, token: str) -> str:
    """Sign in with a one-time link; return the cookie."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/auth/login", body=urlencode({"token": token}), headers=form)
    answer = connection.getresponse()
    answer.read()
    cookie = answer.getheader("Set-Cookie", "").partition(";")[0]
    if answer.status != 303 or not cookie:
        raise RuntimeError(f"signing in answered {answer.status}")
    return cookie
