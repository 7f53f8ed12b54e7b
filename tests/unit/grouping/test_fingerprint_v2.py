"""Pairs of events that are one issue or two: real ones, and generated ones of the same kinds."""

from __future__ import annotations

import json
import random
import re
import string
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.grouping.fingerprint_v2 import compute, hashed_text
from bloop.grouping.generalize import generalize_message, generalize_route

CASES = json.loads((Path(__file__).parents[2] / "vectors/grouping.json").read_text(encoding="utf-8"))
PAIRS = 200  # of each kind
FRAMES = (
    "cart {} could not be locked",
    "lookup of {} failed: no answer",
    "lost connection to {}",
    "value {}, expected another",
    "<{}> is gone",
    "({})",
    "key={} missing",
    "no entry for {}.",
)
BASE62 = string.ascii_letters + string.digits
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def fingerprint(event: dict[str, Any]) -> str:
    parts = (event.get(name, "") for name in ("source", "error_type", "route_or_procedure", "message", "stack"))
    source, error_type, route, message, stack = parts
    return event.get("fingerprint") or compute(source, error_type, route, message, stack)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_two_events_people_met_are_one_issue_or_two(case: dict[str, Any]) -> None:
    first, second = map(fingerprint, case["events"])

    assert (first == second) == case["is_one_issue"], case["why"]


def test_the_values_are_those_that_others_computed() -> None:
    events = [event for case in CASES for event in case["events"] if "v2" in event]

    assert len(events) > 100
    assert [fingerprint(event) for event in events] == [event["v2"] for event in events]


def text_of(chance: random.Random, letters: str, length: int) -> str:
    return "".join(chance.choice(letters) for _ in range(length))


def digits16(chance: random.Random, length: int) -> str:
    return text_of(chance, "0123456789abcdef", length)


def a_number(chance: random.Random) -> str:
    return chance.choice(
        [
            str(chance.randint(0, 99)),
            f"-{chance.randint(1, 999)}",
            f"{chance.random() * 100:.2f}",
            f"{chance.randint(1000, 9_999_999):,}",
            f"{chance.random():.3e}",
            "1.234,50",
        ]
    )


def a_date(chance: random.Random) -> str:
    month, day, minute = chance.randint(1, 12), chance.randint(10, 28), chance.randint(10, 59)
    return chance.choice(
        [
            f"2026-{month:02}-{day}T{chance.randint(10, 23)}:{minute}:07Z",
            f"2025-{month:02}-03 10:{minute}:00.{chance.randint(100, 999)}+02:00",
            f"{chance.choice(DAYS)}, {day} {chance.choice(MONTHS)} 2026 10:{minute}:11 GMT",
            f"{chance.choice(DAYS)} {chance.choice(MONTHS)} {day} 2026 14:{minute}:05 GMT+0000 (UTC)",
        ]
    )


def an_ipv6(chance: random.Random) -> str:
    whole = ":".join(digits16(chance, 4) for _ in range(8))
    return chance.choice(
        [whole, f"2001:db8::{digits16(chance, 3)}", f"fe80::{digits16(chance, 4)}:{digits16(chance, 2)}", "::1"]
    )


# Values that say nothing about which error it is.
VARYING: dict[str, Callable[[random.Random], str]] = {
    "uuid": lambda chance: "-".join(digits16(chance, n) for n in (8, 4, 4, 4, 12)),
    "md5": lambda chance: digits16(chance, 32),
    "ObjectId": lambda chance: digits16(chance, 24),
    "ulid": lambda chance: "01" + text_of(chance, "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24),
    "e-mail": lambda chance: f"{text_of(chance, string.ascii_lowercase, 6)}@mail.{text_of(chance, 'abc', 5)}.example",
    "IPv4": lambda chance: f"{chance.randint(1, 255)}.{chance.randint(0, 255)}.0.{chance.randint(1, 255)}",
    "IPv4 and port": lambda chance: f"10.0.{chance.randint(0, 9)}.1:{chance.randint(1000, 60_000)}",
    "IPv6": an_ipv6,
    "number": a_number,
    "date": a_date,
    "pointer": lambda chance: f"0x{digits16(chance, 12)}",
    "duration": lambda chance: f"{chance.randint(1, 9999)}ms",
    "percentage": lambda chance: f"{chance.randint(1, 99)}%",
}
# Random tokens look like words now and then: one in thirty may.
TOKENS: dict[str, Callable[[random.Random], str]] = {
    "short hex": lambda chance: digits16(chance, 12),
    "base62": lambda chance: text_of(chance, BASE62, 11),
    "longer base62": lambda chance: text_of(chance, string.ascii_letters + string.digits, 22),
    "with a prefix": lambda chance: "cus_" + text_of(chance, string.ascii_letters + string.digits, 14),
    "web token": lambda chance: (
        f"eyJhbGci{text_of(chance, string.ascii_letters, 20)}.{text_of(chance, string.ascii_letters, 30)}.x"
    ),
}


def split_pairs(make: Callable[[random.Random], str]) -> list[tuple[str, str]]:
    chance = random.Random(7)
    messages = []
    for _ in range(PAIRS):
        frame = chance.choice(FRAMES)
        messages.append((frame.format(make(chance)), frame.format(make(chance))))
    return [pair for pair in messages if generalize_message(pair[0]) != generalize_message(pair[1])]


@pytest.mark.parametrize("kind", VARYING)
def test_what_varies_splits_no_issue(kind: str) -> None:
    assert split_pairs(VARYING[kind]) == []


@pytest.mark.parametrize("kind", TOKENS)
def test_random_tokens_hardly_ever_split_an_issue(kind: str) -> None:
    assert len(split_pairs(TOKENS[kind])) <= PAIRS / 30


WORDS = """
    address1 address2 UTF8JsonReader OAuth2Client X509Certificate2 sha256sum WebGL2RenderingContext MySQL80Dialect
    getXYZPosition HTMLInputElement ECONNRESET E11000 ORA00942 PGRST301 ipv6 log4j2 k8s Base64Decoder AbstractFactory
"""


@pytest.mark.parametrize("word", WORDS.split())
def test_words_codes_and_digits_within_words_stay(word: str) -> None:
    assert word.lower() in generalize_message(f"cannot use {word} here")


@pytest.mark.parametrize(
    "message",
    [
        "Minified React error #{}",
        "Request failed with status code {}",
        "HTTP {}",
        "errno {}",
        "exit status {}",
        "ERROR {}",
        "SQLSTATE[HY000] [{}] refused",
        "ORA-{}: no such table",
    ],
)
def test_numbers_that_are_the_error_tell_issues_apart(message: str) -> None:
    chance = random.Random(3)
    numbers = chance.sample(range(100, 600), 2 * PAIRS)

    assert len({generalize_message(message.format(number)) for number in numbers}) == len(numbers)


def test_a_list_is_as_long_as_it_likes() -> None:
    assert generalize_message("id in (1,2,3)") == generalize_message("id in (4, 5, 6, 7, 8)") == "id in (<n>)"


@pytest.mark.parametrize(
    ("route", "general"),
    [
        ("GET /orders/8812/items", "GET /orders/<id>/items"),
        ("/search?q=shoes#top", "/search"),
        ("POST https://x.example/v1/a/3f2c9b1e-0000-4000-8000-000000000000", "POST /v1/a/<id>"),
        ("/api/v2/items/:id", "/api/v2/items/:id"),
        ("/users/ada%40example.com/edit", "/users/<id>/edit"),
        ("orders.create", "orders.create"),
        ("", ""),
    ],
)
def test_routes_lose_their_ids(route: str, general: str) -> None:
    assert generalize_route(route) == general


@given(st.text(max_size=300))
def test_any_text_has_a_fingerprint_and_the_same_one_again(text: str) -> None:
    found = compute(text[:20], text[:9], text, text, text)

    assert re.fullmatch(r"[0-9a-f]{16}", found)
    assert compute(text[:20], text[:9], text, text, text) == found


@given(st.text(alphabet="abc XY_-'\"{}:0123456789.@/", max_size=120))
def test_what_was_generalized_stays_as_it_is(message: str) -> None:
    """Placeholders are not generalized again: the text on the page is the text that was hashed."""
    once = generalize_message(message)

    assert generalize_message(once).count("<") >= once.count("<") - 1


@pytest.mark.parametrize(
    "unit", ["a", "1", "1,", "a:", "'", ":", "-_", "a@", "1.1.", "mon ", "http://", "error ", '{"', "eyJ"]
)
def test_hostile_messages_cost_no_more_than_their_length(unit: str) -> None:
    started = time.process_time()
    generalize_message(unit * 4000)

    assert time.process_time() - started < 0.25


def test_the_hashed_text_says_what_decided() -> None:
    text = hashed_text(
        "js", "TypeError", "GET /a/1", "no item 7", "TypeError: no item 7\n    at total (/srv/app/cart.js:1:2)"
    )

    assert text == "js:TypeError:GET /a/<id>:no item <n>:srv/app/cart.js total"
