"""/kit: every part of the pages in every state, for people who develop bloop (`server.kit_page`)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sin
from typing import ClassVar

import falcon

from bloop.base.clock import DAY_MS, HOUR_MS
from bloop.site.contexts import Badge, Page, PulseNumber, Shell, TabLink
from bloop.site.deps import Deps
from bloop.site.html import send_page
from bloop.site.params import text_params
from bloop.site.scope import PageScope, Window
from bloop.site.strip import SPARK_BARS, Strip, make_strip, spark_path

LEVELS = ("fatal", "error", "warning", "info", "debug", "good")
BADGES = (
    Badge("back", "Regressed", ""),
    Badge("new", "New", ""),
    Badge("bad", "Still firing", ""),
    Badge("warn", "No source map uploaded", ""),
    Badge("good", "Healthy", ""),
    Badge("", "Muted until Monday", ""),
)


@dataclass(frozen=True, slots=True)
class KitSamples(Page):
    template: ClassVar[str] = "kit/kit.html"

    shell: Shell
    levels: tuple[str, ...]
    badges: tuple[Badge, ...]
    tabs: tuple[TabLink, ...]
    numbers: tuple[PulseNumber, ...]
    strip: Strip
    sparks: tuple[str, ...]


class KitPage:
    """GET /kit"""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        scope = PageScope.from_params(text_params(req))
        with self._deps.database.reader() as db:
            shell = self._deps.scoped_shell(db, req, scope)
        send_page(self._deps, req, resp, kit_samples(shell, scope.window(self._deps.now_ms())))


def kit_samples(shell: Shell, window: Window) -> KitSamples:
    """Made-up values that look like a day of a shop."""
    steps = [window.from_ms + n * (window.to_ms - window.from_ms) // 288 for n in range(288)]
    counts = [(at_ms, round(6 + 5 * sin(n / 22)) + (90 if 262 <= n <= 280 else 0)) for n, at_ms in enumerate(steps)]
    short = Window(0, DAY_MS, HOUR_MS, is_running=False)
    quiet = [(n * HOUR_MS, n % 5) for n in range(SPARK_BARS)]
    return KitSamples(
        shell=shell,
        levels=LEVELS,
        badges=BADGES,
        tabs=(TabLink("Open", "#main", 24, current=True), TabLink("Mine", "#main", 3, current=False)),
        numbers=(
            PulseNumber("Events", "3,104", "▲ 38%", is_bad=True),
            PulseNumber("Users affected", "541", "▲ 12%", is_bad=True),
            PulseNumber("New issues", "3"),
        ),
        strip=make_strip(counts, window, [("2.4.1", steps[262])]),
        sparks=tuple(spark_path(series, short) for series in (quiet, quiet[:6], [(23 * HOUR_MS, 40)], [])),
    )
