"""What the storage page says of sizes, growth and clean-ups."""

from __future__ import annotations

import pytest

from bloop.retention.contexts import Figure
from bloop.site.filters import file_size
from tests.unit.site.samples import a_shell, plain
from tests.unit.site.storage_samples import DONE, RUNNING, WAITING, a_storage_page, figures


def figure(label: str, **changes: int | None) -> Figure:
    (found,) = [one for one in figures(**changes) if one.label == label]  # type: ignore[attr-defined]
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (10 * 1024, "10 KiB"),
        (1_500_000, "1.4 MiB"),
        (64 * 2**20, "64 MiB"),
        (3 * 2**30, "3.0 GiB"),
        (5 * 2**50, "5120 TiB"),
    ],
)
def test_sizes_have_two_digits_where_they_say_something(size: int, text: str) -> None:
    assert file_size(size) == text


def test_a_disk_below_the_minimum_is_said_in_red() -> None:
    assert not figure("Free on disk").warns
    assert figure("Free on disk", free_bytes=1).warns
    assert figure("Free on disk", free_bytes=None).text == "unknown"


@pytest.mark.parametrize(
    ("days", "text", "warns"),
    [
        (0, "about a day", True),
        (13, "about 13 days", True),
        (730, "about 730 days", False),
        (731, "more than two years", False),
    ],
)
def test_the_day_the_disk_is_full_is_said_and_a_near_one_in_red(days: int, text: str, warns: bool) -> None:
    assert (figure("Disk full in", days_left=days).text, figure("Disk full in", days_left=days).warns) == (text, warns)


def test_what_is_not_known_yet_is_not_called_nothing() -> None:
    assert figure("Growth per day", growth=None).text == "available after 24 h"
    assert figure("Disk full in", growth=None, days_left=None).text == "available after 24 h"
    assert figure("Disk full in", growth=5, days_left=None).text == "never at this rate"
    assert figure("Growth per day", growth=-5).text == "not growing"


def test_a_clean_up_is_waiting_running_or_done() -> None:
    states = [a_storage_page(a_shell(), plain, run).clean_up for run in (None, WAITING, RUNNING, DONE)]

    assert [state and state.state for state in states] == [None, "waiting", "running", "done"]


def test_projects_with_a_time_of_their_own_are_not_offered_again() -> None:
    page = a_storage_page(a_shell(), plain, None)

    assert [own.slug for own in page.own] == ["shop"]
    assert [option.value for option in page.project_options] == ["blog"]
