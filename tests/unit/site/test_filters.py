from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from bloop.base.clock import DAY_MS, HOUR_MS, MINUTE_MS
from bloop.site import filters

NOW_MS = 1_768_737_600_000  # 2026-01-18 12:00:00 UTC


@pytest.mark.parametrize(
    ("ago_ms", "text"),
    [
        (0, "just now"),
        (59_999, "just now"),
        (MINUTE_MS, "1 min ago"),
        (HOUR_MS - 1, "59 min ago"),
        (HOUR_MS, "1 h ago"),
        (DAY_MS - 1, "23 h ago"),
        (DAY_MS, "1 d ago"),
        (59 * DAY_MS, "59 d ago"),
        (60 * DAY_MS, "2 mo ago"),
        (729 * DAY_MS, "24 mo ago"),
        (730 * DAY_MS, "2 y ago"),
        (NOW_MS, "56 y ago"),
        (-5 * MINUTE_MS, "in 5 min"),
    ],
)
def test_relative_time_uses_the_largest_whole_unit(ago_ms: int, text: str) -> None:
    assert filters.relative(NOW_MS - ago_ms, NOW_MS) == text


def test_when_carries_the_time_for_machines_and_the_exact_one_for_people() -> None:
    assert filters.when(NOW_MS - HOUR_MS, NOW_MS) == Markup(
        '<time datetime="2026-01-18T11:00:00Z" title="18 Jan 2026, 11:00:00 UTC">1 h ago</time>'
    )


@pytest.mark.parametrize("at_ms", [-1, -(2**63), 2**63 - 1, filters.TIME_MS_MAX])
def test_times_outside_the_calendar_are_clamped_to_it(at_ms: int) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", filters.iso(at_ms))
    assert filters.exact(at_ms).endswith(" UTC")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1.0k"), (1999, "1.9k"), (34_567, "34k"), (999_999, "999k"), (5_600_000, "5.6M")],
)
def test_compact_numbers_round_down(value: int, text: str) -> None:
    assert filters.compact(value) == text


def test_percent_never_hides_something_or_claims_everything() -> None:
    shares = (0.0, 0.001, 0.376, 0.999, 1.0)

    assert [filters.percent(share) for share in shares] == ["0%", "<1%", "38%", ">99%", "100%"]


def test_hidden_characters_are_shown_by_name_and_markup_is_escaped() -> None:
    shown = filters.visible("a\u202eb\x1b<i>\u200b&")

    assert "\u202e" not in shown
    assert "\x1b" not in shown
    assert '<span class="hidden-char" title="U+202E">RLO</span>' in shown
    assert "&lt;i&gt;" in shown
    assert shown.startswith("<bdi>")
    assert shown.endswith("</bdi>")


def test_joiners_that_words_and_emoji_need_are_left_alone() -> None:
    family = "👩\u200d👧 می\u200cخواهم"

    assert family in filters.visible(family)


def test_headline_is_the_first_line_and_bounded() -> None:
    assert filters.headline("first\nsecond") == "<bdi>first…</bdi>"
    assert len(filters.headline("x" * 5000)) < filters.TITLE_CHARS_MAX + 20


@given(st.text(max_size=80))
def test_visible_text_holds_no_control_character_and_no_foreign_markup(text: str) -> None:
    shown = str(filters.visible(text))

    without_ours = re.sub(r'<span class="hidden-char" title="U\+[0-9A-F]{4}">[^<]+</span>', "", shown[5:-6])
    assert "<" not in without_ours
    assert ">" not in without_ours
    assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\t\n"]
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown)


@given(st.text(max_size=400))
def test_plain_text_stays_on_one_bounded_line(text: str) -> None:
    assert len(filters.plain(text)) <= filters.TITLE_CHARS_MAX
    assert not re.search(r"[\x00-\x1f\u202a-\u202e]", filters.plain(text))
