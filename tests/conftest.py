"""What holds for every test: no clock decides, and names are kept apart.

pytest 9.2 keeps names where xdist 3.8 and Schemathesis 4.32 do not look for them, and then xdist runs one of several
tests that share a name, and knows no groups. Both are put right here, for every run alike.
"""

from __future__ import annotations

import hypothesis
import pytest
from _pytest.nodeid import NodeId

from tests import tools

# A busy machine makes any single example slow. What is slow for everybody shows in the suite's durations.
hypothesis.settings.register_profile("bloop", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("bloop")

collect_ignore = [] if tools.CAN_BE_FETCHED else list(tools.NEEDED_BY)


def pytest_report_header() -> list[str]:
    return [f"no apt-get here, so this is left out: {name}" for name in collect_ignore]


@pytest.hookimpl(trylast=True)  # the folders' own conftests have put their tests into groups by then
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        assert item.parent is not None
        group = item.get_closest_marker("xdist_group")
        suffix = f"@{group.args[0]}" if group and getattr(config.option, "loadgroup", False) else ""
        item._id = NodeId.parse(f"{item.parent.nodeid}::{item.name}{suffix}")
    names = [item.nodeid for item in items]
    assert len(set(names)) == len(names), "tests that share a name run once"
