"""The checks of the system page: green only for a value that was read and is right."""

from __future__ import annotations

import pytest

from bloop.base.clock import DAY_MS
from bloop.base.reasons import Reason
from bloop.health.checks import PARTS, SystemValues, make_checks
from bloop.health.contexts import CheckState, SystemCheck
from bloop.health.model import Vitals
from bloop.health.pages import system_page
from bloop.health.problems import LIMIT_NEAR, MILD, RING_PRESSURE
from tests.unit.site.project_samples import NOW_MS, some_values
from tests.unit.site.samples import a_shell

NOTHING = SystemValues(
    NOW_MS, Vitals(False, None, None, None), None, None, None, None, None, None, backups_enabled=True
)


def by_anchor(problems: list[str], values: SystemValues) -> dict[str, SystemCheck]:
    return {check.anchor: check for check in make_checks(problems, values)}


def test_a_healthy_bloop_has_green_checks_with_values_and_no_remedies():
    checks = make_checks([], some_values())

    assert [check.anchor for check in checks if check.state is not CheckState.GOOD] == []
    assert [check.problems for check in checks if check.problems] == []
    assert {check.anchor: check.value for check in checks} == {
        "writer": "Last heartbeat 0.4 s ago.",
        "buffer": "2% full, 3 records waiting.",
        "database": "Responds in 0.4 ms, 1.0 GiB and 1.0 MiB WAL.",
        "disk": "9.0 GiB of 40 GiB free.",
        "processes": "Dashboard, writer, alerts, retention; 1 process accepts events.",
        "alerts": "Last report 3 s ago. Messages: 0 waiting, 0 failed.",
        "retention": "Last report 3 s ago.",
        "backup": "Last one 9 h ago, restore tested 9 h ago.",
        "limits": "No project is above 80% of a limit.",
    }


def test_nothing_that_was_not_read_is_green():
    assert {check.state for check in make_checks([], NOTHING)} == {CheckState.UNKNOWN}


@pytest.mark.parametrize("name", [*Reason, RING_PRESSURE, LIMIT_NEAR])
def test_each_problem_turns_one_check_and_brings_its_remedy(name: str):
    turned = [check for check in make_checks([name], some_values()) if check.state is not CheckState.GOOD]

    assert len(turned) == 1
    assert turned[0].state is (CheckState.WARN if name in MILD else CheckState.BAD)
    assert [problem.anchor for problem in turned[0].problems] == [name]
    assert turned[0].problems[0].steps


def test_failing_checks_come_first():
    states = [check.state for check in make_checks([Reason.BACKUP_FAILING, Reason.DISK_FULL], some_values())]

    assert states[:2] == [CheckState.BAD, CheckState.WARN]
    assert set(states[2:]) == {CheckState.GOOD}


def test_an_old_backup_needs_attention():
    rows = some_values().rows
    assert rows is not None
    old = rows._replace(backup=rows.backup._replace(good_at_ms=NOW_MS - 3 * DAY_MS))

    assert by_anchor([], some_values(rows=old))["backup"].state is CheckState.WARN


def test_processes_are_green_only_when_all_of_them_run():
    rows, ring = some_values().rows, some_values().ring
    assert rows is not None
    assert ring is not None

    for values in (
        some_values(rows=rows._replace(processes=rows.processes[:1])),
        some_values(rows=rows._replace(processes=[rows.processes[0]._replace(is_alive=False), rows.processes[1]])),
        some_values(ring=ring._replace(consumer_claimed=False)),
        some_values(ring=ring._replace(lanes=[])),
    ):
        assert by_anchor([], values)["processes"].state is CheckState.UNKNOWN


@pytest.mark.parametrize(
    ("problems", "summary", "state"),
    [
        ([], "bloop is healthy.", CheckState.GOOD),
        ([Reason.BACKUP_FAILING], "bloop is running. 1 of 9 checks needs attention.", CheckState.WARN),
        ([Reason.DISK_FULL], "bloop is degraded: 1 of 9 checks fails.", CheckState.BAD),
    ],
)
def test_the_summary_says_how_many_checks_are_not_right(problems: list[str], summary: str, state: CheckState):
    page = system_page(a_shell(), problems, some_values(), (), is_admin=True)

    assert len(PARTS) == 9
    assert page.summary == summary
    assert page.state is state


def test_a_summary_without_all_values_does_not_say_that_all_is_well():
    page = system_page(a_shell(), [], NOTHING, (), is_admin=True)

    assert page.summary == "No problems found. 9 of 9 checks have no value yet."
    assert page.state is CheckState.UNKNOWN
