"""The pulse of a list in words. Pure."""

from __future__ import annotations

from bloop.issues.counts.scope import CountScope
from bloop.issues.listing import words
from bloop.issues.listing.pulse import Pulse
from bloop.site.contexts import PulseNumber

TIMES_FROM = 10  # from here on a change reads as a factor


def of_pulse(pulse: Pulse, scope: CountScope) -> tuple[PulseNumber, ...]:
    """Two to four numbers."""
    events = pulse.series.total
    found = [PulseNumber("Events", f"{events:,}", change(events, pulse.events_before), events > pulse.events_before)]
    if pulse.users is not None:
        found.append(PulseNumber("Users affected", f"{pulse.users:,}"))
    found.append(PulseNumber("New issues", words.count(pulse.new_issues)))
    if pulse.lost:
        label = "Not stored, in all environments" if scope.has_names else "Not stored"
        found.append(PulseNumber(label, f"{pulse.lost:,}", is_bad=True))
    return tuple(found)


def change(number: int, before: int) -> str:
    """`▲ 38%`, `▼ 12%`, `▲ 14×`; "" where there is nothing to compare with, or no change."""
    if not before or number == before:
        return ""
    if number >= before * TIMES_FROM:
        return f"▲ {number // before:,}×"
    percent = round(abs(number - before) / before * 100)
    if not percent:
        return ""
    return f"{'▲' if number > before else '▼'} {percent:,}%"
