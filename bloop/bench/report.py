"""The report of a bench: one self-contained HTML file, and the same as JSON."""

from __future__ import annotations

from dataclasses import asdict

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bloop import __version__
from bloop.bench.charts import Plot, duration, plot
from bloop.bench.results import Findings, Second
from bloop.site.assets import TEMPLATES

TEMPLATE = "bench/report.html"
PARTS_MAX = 5  # lines in the chart of cores
CORES_MIN = 0.002  # on average; less is no line


def as_json(findings: Findings) -> bytes:
    content = asdict(findings) | {"version": __version__, "passed": findings.passed}
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)


def as_html(findings: Findings, *, made_at: str) -> str:
    """`made_at` is printed as it is."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "ms": milliseconds, "duration": duration}
    template = environment.get_template(TEMPLATE)
    return template.render(found=findings, plots=plots(findings), made_at=made_at, version=__version__)


def plots(findings: Findings) -> list[Plot]:
    """The plots that have values."""
    seconds = findings.timeline
    parts = _busiest(seconds)
    found = [
        plot(
            "Events",
            "per second",
            seconds,
            {
                "offered": lambda s: s.offered,
                "answered": lambda s: s.answered,
                "stored": lambda s: s.stored,
            },
        ),
        plot("Time to answer", "ms", seconds, {"p99": lambda s: s.p99_ms, "median": lambda s: s.p50_ms}),
        plot("Waiting in the ring", "events", seconds, {"waiting": lambda s: s.waiting}),
        plot("Cores in use", "cores", seconds, {part: _CoresOf(part) for part in parts}),
        plot("Memory of all processes", "MiB PSS", seconds, {"memory": lambda s: s.pss_mib}),
    ]
    return [one for one in found if one is not None]


class _CoresOf:
    """The cores one part of bloop uses in a second; None without a sample."""

    def __init__(self, part: str) -> None:
        self._part = part

    def __call__(self, second: Second) -> float | None:
        return second.cores.get(self._part) if second.cores else None


def _busiest(seconds: list[Second]) -> list[str]:
    total: dict[str, float] = {}
    for second in seconds:
        for part, cores in second.cores.items():
            total[part] = total.get(part, 0.0) + cores
    worth_it = [part for part in total if total[part] > CORES_MIN * len(seconds)]
    return sorted(worth_it, key=lambda part: -total[part])[:PARTS_MAX]


def number(value: float | None) -> str:
    """Three significant digits with thousands separators; a dash if not measured."""
    if value is None or value != value:
        return "–"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def milliseconds(value: float | None) -> str:
    """`0.42 ms`, `17 ms`, `1.20 s`."""
    if value is None or value != value:
        return "–"
    if value >= 1000:
        return f"{value / 1000:.2f} s"
    return f"{value:.2f} ms" if value < 10 else f"{value:.0f} ms"
