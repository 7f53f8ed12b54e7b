"""Checks → the system page. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bloop.health.checks import SystemValues, make_checks, worst_state
from bloop.health.contexts import CheckState, SystemPage
from bloop.site.contexts import Shell
from bloop.site.settings_nav import SYSTEM, settings_nav


def system_page(
    shell: Shell, problems: Sequence[str], values: SystemValues, facts: Sequence[tuple[str, str]], *, is_admin: bool
) -> SystemPage:
    """`facts` are about the installation, in the order they are shown."""
    checks = make_checks(problems, values)
    return SystemPage(
        shell=shell,
        nav=settings_nav(SYSTEM, is_admin=is_admin),
        summary=_summary([check.state for check in checks]),
        state=worst_state(checks),
        checks=checks,
        facts=tuple(facts),
    )


def _summary(states: Sequence[CheckState]) -> str:
    """`bloop is healthy.`, or how many checks are not."""
    failing, warned, unknown = (states.count(state) for state in (CheckState.BAD, CheckState.WARN, CheckState.UNKNOWN))
    of_all = f"of {len(states)} checks"
    if failing:
        return f"bloop is degraded: {failing + warned} {of_all} {'fails' if failing + warned == 1 else 'fail'}."
    if warned:
        return f"bloop is running. {warned} {of_all} {'needs' if warned == 1 else 'need'} attention."
    if unknown:
        return f"No problems found. {unknown} {of_all} {'has' if unknown == 1 else 'have'} no value yet."
    return "bloop is healthy."
