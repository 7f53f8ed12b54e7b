"""`python -m benchmarks paired COMMIT`: the working tree and another commit measured in turns, in one run.

A figure from another day or machine says little about a change; the ratio of two successive runs does.

PAIR-1  Both sides are used only from outside: `bloop up` and other commands of that tree, requests over HTTP, /proc. So
    modules, tables and the ring of the other commit may differ in any way.
PAIR-2  Both sides get the same events at the same times from the generator of the working tree.
PAIR-3  Every event answered `accepted` has to be in that side's ledger as `stored`, or the comparison fails.
PAIR-4  A ratio above its limit is marked. It is never a failure: the reader of the table decides.
"""

from __future__ import annotations

import http.client
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import orjson
from rich.console import Console

from benchmarks.bench import target
from benchmarks.queries import connect, sign_in
from benchmarks.ratios import Figures, Ratio, compare_sides, table_of
from benchmarks.report import RESULTS, commit_name
from benchmarks.run import OTHERS_CORES_MAX, OtherPrograms
from benchmarks.trees import ROOT, checked_out, environ_of, has_limits, prepare, python_for, short_name
from bloop.bench.about import machine
from bloop.bench.background import BackgroundLoad
from bloop.bench.instance import NO_LIMITS_ENVIRON, BenchInstance, check_on_disk, spent
from bloop.bench.load import LoadResult, run_load
from bloop.bench.measure import CountError
from bloop.bench.percentiles import summary_ms
from bloop.bench.places import get
from bloop.bench.schedule import PROCESSES, Load

BATCH = 50
BATCHED_FACTOR = 2  # events a second in batches, times the rate of single ones
CLOSED_LOOP_FACTOR = 2  # events of a closed loop, times those sent at a rate
CLOSED_LOOP_S_MAX = 600.0  # it ends when its events are used up
KEPT_UP = 0.985  # of the schedule, or the rate was too high for this machine
STORED_WITHIN_S = 60.0
POLL_S = 0.05
SAMPLE_S = 0.5
WARM_UP_VIEWS = 5
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Scale:
    """The number of events and the durations; the same for both sides."""

    runs: int = 6  # of both sides together
    seconds: float = 10.0  # of each load that has a rate
    rate: int = 6000  # single events a second of the held load
    latency_rate: int = 1000
    rest_s: float = 12.0  # processes return memory every 10 s
    seed_events: int = 60_000
    seed_issues: int = 20_000
    page_views: int = 100  # of each page
    warm_up_events: int = 4000
    generators: int = PROCESSES


QUICK = Scale(
    runs=2,
    seconds=0.3,
    rate=500,
    latency_rate=200,
    rest_s=0.2,
    seed_events=500,
    seed_issues=100,
    page_views=5,
    warm_up_events=200,
    generators=1,
)


@dataclass(frozen=True, slots=True)
class Side:
    """A checkout and the interpreter that runs it."""

    name: str
    tree: Path
    python: Path


class Comparison(NamedTuple):
    ours: str
    theirs: str
    ratios: list[Ratio]
    warnings: list[str]
    seconds: float

    def print_to(self, console: Console) -> None:
        console.print(table_of(self.ratios, self.ours, self.theirs))
        for text in self.warnings:
            console.print(f"[yellow]warning[/]: {text}")

    def save(self, path: Path | None = None) -> Path:
        """Write JSON to a file, by default `<UTC time>-<ours>-<theirs>.json` among the results; return where."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = path or RESULTS / "paired" / f"{stamp}-{self.ours}-{self.theirs}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        content: dict[str, Any] = {
            "machine": machine(),
            "ours": self.ours,
            "theirs": self.theirs,
            "seconds": round(self.seconds, 1),
            "warnings": self.warnings,
            "figures": [ratio.as_json() for ratio in self.ratios],
        }
        path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2))
        return path


def compare(
    commit: str, scale: Scale, only: Sequence[str], *, folder: Path | None, say: Callable[[str], None]
) -> Comparison:
    """Measure both sides in turns, ours first, each run on data of its own.

    Raises:
        TreeError: the commit cannot be checked out or run.
        InstanceError, LoadError, CountError: a side did not start, answer or stop, or lost an event.
    """
    assert scale.runs % 2 == 0, "every run of ours needs one of theirs"
    started, others = time.monotonic(), OtherPrograms()
    warnings: list[str] = []
    with checked_out(commit) as tree, tempfile.TemporaryDirectory(prefix="bloop-paired-", dir=folder) as temporary:
        home = Path(temporary)
        check_on_disk(home)
        sides = (
            Side(commit_name(), ROOT, python_for(ROOT, home)),
            Side(short_name(commit), tree, python_for(tree, home)),
        )
        for side in sides:
            prepare(side.tree, side.python)
        figures: tuple[list[Figures], list[Figures]] = ([], [])
        for turn in range(scale.runs):
            side = sides[turn % 2]
            with tempfile.TemporaryDirectory(prefix="run-", dir=home) as run_folder:

                def say_of_run(text: str, turn: int = turn, name: str = side.name) -> None:
                    say(f"run {turn + 1} of {scale.runs}, {name}: {text}")

                figures[turn % 2].append(measure_side(side, scale, only, Path(run_folder), say_of_run, warnings.append))
    if (cores := others.cores()) > OTHERS_CORES_MAX:
        warnings.append(f"other programs used {cores:.1f} cores: check min and max before you trust a ratio")
    ours, theirs = (side.name for side in sides)
    return Comparison(ours, theirs, compare_sides(*figures), warnings, time.monotonic() - started)


def measure_side(
    side: Side,
    scale: Scale,
    only: Sequence[str],
    folder: Path,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> dict[str, float]:
    """One run of one side: all scenarios, or those named, on one bloop that is made for it."""
    figures: dict[str, float] = {}
    say("starting")
    environ = environ_of(side.tree) | (NO_LIMITS_ENVIRON if has_limits(side.tree) else {})
    with BenchInstance(folder, side.python, **environ) as instance:
        side_run = SideRun(instance, scale, warn)
        side_run.send(side_run.closed_loop("warm", scale.warm_up_events))
        for name in only or SCENARIOS:
            say(name)
            figures |= {f"{name}.{figure}": value for figure, value in SCENARIOS[name](side_run)}
    return figures


class SideRun:
    """One running bloop of either side, used through HTTP, its commands and /proc (PAIR-1)."""

    def __init__(self, instance: BenchInstance, scale: Scale, warn: Callable[[str], None]) -> None:
        self.instance, self.scale, self.target = instance, scale, target(instance)
        token = instance.command("token", "create", "paired", "--project", "default", "--scopes", "errors:read")
        self._headers = {"Authorization": f"Bearer {token.strip()}"}
        self._warn = warn

    def get_json(self, path: str) -> Any:
        """The JSON at a path of the API."""
        return orjson.loads(get(self.target, path, self._headers))

    def sign_in(self, client: http.client.HTTPConnection) -> str:
        """Sign in and return the cookie."""
        link = orjson.loads(self.instance.command("login-link", "--json"))["url"]
        return sign_in(client, urlsplit(link).query.removeprefix("token="))

    def closed_loop(self, run: str, events: int, *, batch: int = 0, **options: Any) -> Load:
        """A closed loop over `events`: the next request follows the answer."""
        return self._load(run, events, batch, duration_s=CLOSED_LOOP_S_MAX, **options)

    def open_loop(self, run: str, events_per_s: float, *, batch: int = 0) -> Load:
        """An open loop at a rate, for the scale's duration."""
        events = int(events_per_s * self.scale.seconds)
        return self._load(run, events, batch, rate=events_per_s / max(batch, 1))

    def _load(self, run: str, events: int, batch: int, **options: Any) -> Load:
        requests = events // max(batch, 1)
        return Load(self.target, run, requests=requests, batch=batch, processes=self.scale.generators, **options)

    def send(self, load: Load) -> LoadCost:
        """Run a load and wait until all of it is stored (PAIR-3)."""
        stored_before, before = self._stored(), self.instance.usage()
        result = run_load(load)
        if result.dropped or result.invalid or result.refused:
            problems = f"{result.dropped} dropped, {result.invalid} invalid, refused {result.refused}"
            raise CountError(f"{load.run}: {problems} of {result.sent_events} events")
        deadline = time.monotonic() + STORED_WITHIN_S
        while (stored := self._stored() - stored_before) < result.accepted and time.monotonic() < deadline:
            time.sleep(POLL_S)
        if stored != result.accepted:
            raise CountError(f"{load.run}: {result.accepted} accepted, {stored} stored")
        after = self.instance.usage()
        if load.rate and result.requests_per_s < KEPT_UP * load.rate:
            self._warn(f"{load.run}: {result.requests_per_s:,.0f} of {load.rate:,.0f} requests/s; lower --rate")
        return LoadCost(result, after.at - result.started_at, sum(spent(before, after).values()))

    def _stored(self) -> int:
        return int(self.get_json("/v1/ledger?hours=24")["totals"].get("stored", 0))


class LoadCost(NamedTuple):
    """The result of a load that is stored completely, and its cost."""

    result: LoadResult
    stored_in_s: float  # from the first request until the ledger had all of it
    cpu_s: float  # of all its processes

    @property
    def stored_per_s(self) -> float:
        return self.result.accepted / self.stored_in_s

    @property
    def cpu_per_10k(self) -> float:
        return self.cpu_s / self.result.accepted * 10_000


class MemoryWatch(BackgroundLoad):
    """The largest sum of the PSS of all processes, in MiB."""

    def __init__(self, instance: BenchInstance) -> None:
        super().__init__()
        self.peak_mib = 0.0
        self._instance = instance

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._over.wait(SAMPLE_S)
            self.peak_mib = max(self.peak_mib, pss_mib(self._instance))


def pss_mib(instance: BenchInstance) -> float:
    return sum(memory.pss for memory in instance.memory().values()) / MIB


# What a run measures. Each yields (figure, value); names and units are in ratios.KINDS.


def _held(side_run: SideRun, name: str, events_per_s: float, batch: int) -> Iterator[tuple[str, float]]:
    """As many as are answered, until they are stored; then the CPU of a rate that a small machine holds."""
    events = int(events_per_s * side_run.scale.seconds * CLOSED_LOOP_FACTOR)
    yield "stored_per_s", side_run.send(side_run.closed_loop(f"{name}-closed", events, batch=batch)).stored_per_s
    yield "cpu_per_10k", side_run.send(side_run.open_loop(f"{name}-held", events_per_s, batch=batch)).cpu_per_10k


def _singles(side_run: SideRun) -> Iterator[tuple[str, float]]:
    return _held(side_run, "singles", side_run.scale.rate, 0)


def _batches(side_run: SideRun) -> Iterator[tuple[str, float]]:
    return _held(side_run, "batches", side_run.scale.rate * BATCHED_FACTOR, BATCH)


def _latency(side_run: SideRun) -> Iterator[tuple[str, float]]:
    """Of answers at a moderate rate, each from when its request was due."""
    waits = summary_ms(side_run.send(side_run.open_loop("latency", side_run.scale.latency_rate)).result.latency_s)
    yield "p50", waits["p50"]
    yield "p99", waits["p99"]


def _memory(side_run: SideRun) -> Iterator[tuple[str, float]]:
    """Under single events at the held rate, and after a rest. Apart from CPU: looking at memory costs some."""
    scale = side_run.scale
    with MemoryWatch(side_run.instance) as watch:
        side_run.send(side_run.open_loop("memory", scale.rate))
    yield "under_load", watch.peak_mib
    time.sleep(scale.rest_s)
    yield "at_rest", pss_mib(side_run.instance)


def _pages(side_run: SideRun) -> Iterator[tuple[str, float]]:
    """Time to the first byte, median, over events of many issues that came in over HTTP."""
    scale = side_run.scale
    side_run.send(side_run.closed_loop("seed", scale.seed_events, batch=BATCH, issues=scale.seed_issues))
    hottest = side_run.get_json("/v1/errors?limit=1&sort=total_count")[0]["fingerprint"]
    with closing(connect(side_run.target.port)) as client:
        headers = {"Cookie": side_run.sign_in(client), "Accept": "text/html"}
        for name, path in (("list", "/"), ("issue", f"/issues/{quote(hottest)}")):
            taken = [_first_byte_s(client, path, headers) for _ in range(WARM_UP_VIEWS + scale.page_views)]
            yield name, summary_ms(taken[WARM_UP_VIEWS:])["p50"]


def _first_byte_s(client: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> float:
    started = time.perf_counter()
    client.request("GET", path, headers=headers)
    answer = client.getresponse()
    taken = time.perf_counter() - started
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"GET {path} answered {answer.status}: {body[:200]!r}")
    return taken


SCENARIOS: dict[str, Callable[[SideRun], Iterator[tuple[str, float]]]] = {
    "singles": _singles,
    "batches": _batches,
    "latency": _latency,
    "memory": _memory,
    "pages": _pages,
}
