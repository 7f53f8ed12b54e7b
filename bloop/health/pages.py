"""Checks → the system page. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bloop.health.checks import SystemValues, make_checks, worst_state
from bloop.health.contexts import CheckState, SystemPage
from bloop.site.contexts import Shell
from bloop.site.settings_nav import SYSTEM, plural, settings_nav


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
    if failing:
        return f"bloop is degraded: {plural(failing + warned, 'check')} of {len(states)} failing."
    if warned:
        return f"bloop is running. {plural(warned, 'check')} of {len(states)} need{'s' * (warned == 1)} attention."
    if unknown:
        has = "has" if unknown == 1 else "have"
        return f"No problems found. {plural(unknown, 'check')} of {len(states)} {has} no value yet."
    return "bloop is healthy."
