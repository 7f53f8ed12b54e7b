"""TAGS-1 to TAGS-3 of bloop/issues/tags/model.py."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from bloop.issues.tags import model
from bloop.issues.tags.model import TagSummary, TagValue, summarise
from bloop.records.event import Parts
from tests.unit.site.samples import an_event


def events(*metadata: Any, **fields: Any) -> list[Any]:
    return [an_event(metadata=orjson.dumps(value).decode(), **fields) for value in metadata]


def tag(found: list[TagSummary], key: str) -> TagSummary:
    return next(summary for summary in found if summary.key == key)


def test_values_are_counted_and_the_rest_is_other() -> None:
    plans = ["pro", "pro", "free", "team", "edu"]

    plan = tag(summarise(events(*({"plan": name} for name in plans), {}), values_max=2), "tag.plan")

    assert plan == TagSummary("tag.plan", 5, 4, (TagValue("pro", 2, False), TagValue("edu", 1, False)), 2)
    assert plan.name == "plan"


def test_fields_come_first_and_then_metadata_by_how_many_events_have_it() -> None:
    found = summarise([*events({"b": 1, "a": 1}), *events({"b": 2}), an_event(metadata=None)], values_max=1)

    keys = [summary.key for summary in found]
    assert keys[-2:] == ["tag.b", "tag.a"]
    assert keys[:3] == ["env", "release", "level"]
    assert tag(found, "http").values == (TagValue("500", 3, False),)


def test_tags_are_text_numbers_and_truth_at_the_top_of_the_metadata() -> None:
    metadata = {
        "text": "x",
        "number": 1.5,
        "truth": True,
        "list": ["a", 2, {"no": 1}, None],
        "object": {"inner": 1},
        "nothing": None,
        "blank": "",
    }

    found = {t.key: {v.value for v in t.values} for t in summarise(events(metadata), values_max=9)}

    assert {key: values for key, values in found.items() if key.startswith("tag.")} == {
        "tag.text": {"x"},
        "tag.number": {"1.5"},
        "tag.truth": {"true"},
        "tag.list": {"a", "2"},
    }


def test_an_event_counts_once_for_a_value_that_it_has_twice() -> None:
    event = an_event(metadata='{"os":["ios","ios"]}', parts=Parts(tags={"os": "ios"}))

    assert tag(summarise([event], values_max=5), "tag.os") == TagSummary(
        "tag.os", 1, 1, (TagValue("ios", 1, False),), 0
    )


@pytest.mark.parametrize("metadata", [None, "", "[1]", '"x"', "{broken"])
def test_metadata_that_is_no_object_has_no_tags(metadata: str | None) -> None:
    found = summarise([an_event(metadata=metadata)], values_max=5)

    assert not [summary for summary in found if summary.key.startswith("tag.")]


def test_everything_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"k{n}": n for n in range(500)}
    long = "x" * 300

    found = summarise(events(many, {"k0": long, "k" * 101: 1, "k1": list(range(50))}), values_max=50)

    assert len(found) <= model.TAGS_MAX
    assert tag(found, "tag.k0").values[1] == TagValue("x" * 200 + "…", 1, True)
    assert tag(found, "tag.k1").distinct_count == model.VALUES_PER_KEY_MAX
    assert not any("k" * 101 in summary.key for summary in found)
    monkeypatch.setattr(model, "KEYS_MAX", 6)
    metadata = [tag for tag in summarise(events(many), values_max=1) if tag.key.startswith("tag.")]
    assert len(metadata) == 6


def test_no_events_have_no_tags() -> None:
    assert summarise([], values_max=5) == []
