"""Completion of a search, COMPLETION-1 and COMPLETION-2 of bloop/issues/search/completion.py."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.issues.search.completion import OPTIONS_MAX, WrittenPart, key_options, place_at, value_options
from bloop.issues.search.keys import Field
from bloop.issues.search.terms import parse


def written(marked: str) -> tuple[str | None, str, str, str]:
    """Field, tag, what was typed and what is replaced at the `|` in a text."""
    at = marked.index("|")
    text = marked.replace("|", "", 1)
    place = place_at(text, at)
    return place.field and place.field.value, place.tag, place.typed, text[place.start : place.end]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("|", (None, "", "", "")),
        ("re|", (None, "", "re", "re")),
        ("a re|q b", (None, "", "re", "req")),
        ("a |", (None, "", "", "")),
        ("-e|", (None, "", "e", "e")),
        ("re|quest:r1", (None, "", "re", "request:")),
        ("request:|", ("request", "", "", "")),
        ("x -request:r|1 y", ("request", "", "r", "r1")),
        ("env:a,pr|od,c", ("env", "", "pr", "prod")),
        ("env:a,|", ("env", "", "", "")),
        ('route:"/a b|"', ("route", "", "/a b", '"/a b"')),
        ('route:"/a| b', ("route", "", "/a", '"/a b')),
        ('route:"x,y",z|', ("route", "", "z", "z")),
        ("tag.pl|", (None, "", "tag.pl", "tag.pl")),
        ("tag.plan:p|", ("tag", "plan", "p", "p")),
        ('tag."my key":p|', ("tag", "my key", "p", "p")),
        ("nothing:x|", (None, "", "nothing:x", "nothing:x")),
        ("Error: x|", (None, "", "x", "x")),
        ("http:>=5|", ("http", "", ">=5", ">=5")),
    ],
)
def test_what_is_being_written_is_the_key_or_value_at_the_cursor(
    marked: str, expected: tuple[str | None, str, str, str]
) -> None:
    assert written(marked) == expected


@given(st.text('ab":,\\ -tag.e', max_size=30), st.integers(-2, 40))
def test_any_text_and_cursor_have_a_place_within_the_text(text: str, at: int) -> None:
    place = place_at(text, at)

    assert 0 <= place.start <= place.end <= len(text)
    assert place.start <= min(max(at, 0), len(text)) or not text[place.start - 1 : place.start].isspace()


def test_keys_are_offered_by_their_beginning_and_tags_by_theirs() -> None:
    assert [option.text for option in key_options("re", ())] == ["release:", "request:"]
    assert [option.text for option in key_options("T", ())] == ["type:", "tag."]
    assert all(option.note for option in key_options("", ()))
    assert [option.text for option in key_options("tag.p", ["region", "plan", "my pl"])] == [
        "tag.plan:",
        'tag."my pl":',
    ]
    assert key_options("zzz", ()) == []


def test_values_that_begin_with_what_was_typed_come_first_and_are_quoted_where_needed() -> None:
    place = WrittenPart(Field.RELEASE, "", "2.", 0, 2)

    texts = [option.text for option in value_options(place, ["1.2.0", "2.4 beta", "2.3", "", "x" * 500])]

    assert texts == ['"2.4 beta"', "2.3", "1.2.0"]


def test_fixed_values_of_a_key_are_offered_beside_real_ones() -> None:
    def texts(field: Field, typed: str, *values: str) -> list[str]:
        return [option.text for option in value_options(WrittenPart(field, "", typed, 0, 0), values)]

    assert texts(Field.IS, "re") == ["regressed", "resolved", "unresolved", "ignored"]
    assert texts(Field.HAS, "tag", "tag.plan") == ["tag.plan"]
    assert texts(Field.HTTP, "5", "503", "503") == ["503", "500", ">=500"]
    assert texts(Field.LAST, "") == ["1h", "24h", "7d", "30d"]
    assert len(texts(Field.USER, "", *(f"u{n}" for n in range(100)))) == OPTIONS_MAX


@given(st.sampled_from((Field.REQUEST, Field.RELEASE, Field.ROUTE, Field.TYPE, Field.TAG)), st.text(max_size=20))
def test_what_is_offered_is_read_as_the_value_it_stands_for(field: Field, value: str) -> None:
    for option in value_options(WrittenPart(field, "k", "", 0, 0), [value]):
        key = "tag.k" if field is Field.TAG else field.value
        (term,) = parse(f"{key}:{option.text}").terms

        assert term.values == (read_back(value),)


def read_back(value: str) -> str:
    """Half a pair of surrogates and control characters are not searched for as they are."""
    return re.sub(r"[\ud800-\udfff]", "\ufffd", re.sub(r"[\x00-\x1f\x7f]", " ", value)).strip()
