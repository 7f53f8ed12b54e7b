from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.grouping.normalize import (
    CACHED_LINE_CHARS_MAX,
    _cached_own_frame,
    _without_uuids,
    normalize_message,
    top_frame,
)
from tests.waiting import fastest

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
FRAMEWORKS = (
    *("node_modules/", "UIKitCore", "CoreFoundation", "libdispatch", "Foundation"),
    *("SwiftUI", "java.lang.", "android.os.", "kotlin.", "com.apple."),
)


def literal_message(message: str) -> str:
    """The rule as it is written down, without any of the shortcuts."""
    message = re.sub(_UUID, "<uuid>", message)
    message = re.sub(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", "<ip>", message)
    return re.sub(r"\d+", "<n>", message).lower().strip()


def literal_top_frame(stack: str) -> str:
    """The rule for stacks without a header, as it is written down."""
    lines = [line.strip() for line in stack.split("\n") if line.strip()]
    for line in lines:
        if not any(framework in line for framework in FRAMEWORKS):
            return re.sub(r":\d+(?::\d+)?| line \d+", "", line).strip()
    return lines[0] if lines else ""


messages = st.lists(
    st.sampled_from(
        [
            "550e8400-e29b-41d4-a716-446655440000",
            "10.0.0.1",
            "1.2.3.4.5",
            "0",
            "007",
            "-",
            ".",
            " ",
            "A",
            "ab1",
            "٤٢",
            "Ü",
        ]
    )
    | st.text(max_size=4),
    max_size=12,
).map("".join)


@given(messages)
def test_shortcuts_change_nothing_about_messages(message):
    assert normalize_message(message) == literal_message(message)


frames = st.lists(
    st.sampled_from(
        ["at ", "  at ", "f", "(a.kt:1:2)", ":3", " line 4", "node_modules/", "kotlin.", "\n", "\r\n", "\t", " "]
    ),
    max_size=14,
).map(lambda parts: "at " + "".join(parts))


@given(frames)
def test_stack_that_begins_with_a_frame_follows_the_plain_rule(stack):
    assert top_frame(stack, "TypeError") == literal_top_frame(stack)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_framework_lines_are_skipped(framework):
    assert top_frame(f"at {framework}x (a.c:1)\nat mine (b.c:2)", "E") == "at mine (b.c)"


@pytest.mark.parametrize(
    "header",
    [
        "TypeError",
        "TypeError: boom",
        "TypeError (boom)",
        "TypeError [ERR_X]: boom",
        "Uncaught TypeError: boom",
        "Error: boom",
        "com.acme.OrderFailed: order 17",
        "com.acme.OrderFailed",
        'Exception in thread "main" com.acme.OrderFailed: order 17',
        "Caused by: com.acme.OrderFailed: order 17",
        "panic: runtime error: index out of range",
        "thread 'main' panicked at 'x', src/main.rs:4:5",
        "Unhandled Promise Rejection: x",
    ],
)
def test_header_is_not_a_frame(header):
    header = header.replace("OrderFailed", "OrderException") if header.endswith("OrderFailed") else header

    assert top_frame(f"{header}\n    at load (orders.js:1:2)", "TypeError") == "at load (orders.js)"


@pytest.mark.parametrize(
    ("frame", "top"),
    [
        ("at TypeError: (a.js:1:2)", "at TypeError: (a.js)"),
        ('File "TypeError.py", line 3, in f', 'File "TypeError.py",, in f'),
        ("load@https://x.example/a.js:1:2", "load@https://x.example/a.js"),
        ("app/models/user.rb:12:in `name'", "app/models/user.rb:in `name'"),
        ("#0 /srv/a.php(12): load()", "#0 /srv/a.php(12): load()"),
        ("3: core::panicking::panic", "3: core::panicking::panic"),
        ("TypeErrorHandler.run(a.kt:3)", "TypeErrorHandler.run(a.kt)"),
        ("C:\\app\\main.py:3", "C:\\app\\main.py"),
    ],
)
def test_frame_is_not_taken_for_a_header(frame, top):
    assert top_frame(f"{frame}\nat second (b.js:1:2)", "TypeError") == top


def test_header_and_unknown_frames_give_the_line_after_the_header():
    assert top_frame("Error: boom 5\nsomewhere in the code:7\nelsewhere", "Error") == "somewhere in the code"


def test_header_then_only_framework_frames_gives_the_first_of_those():
    stack = "Error: boom 5\n  at a (/x/node_modules/a.js:1:2)\n  at b (/x/node_modules/b.js:3:4)"

    assert top_frame(stack, "Error") == "at a (/x/node_modules/a.js:1:2)"


def test_python_exception_group_gives_a_frame_of_its_last_member():
    stack = (
        "  + Exception Group Traceback (most recent call last):\n"
        '  |   File "/srv/main.py", line 3, in main\n'
        "  | ExceptionGroup: two (2 sub-exceptions)\n"
        "  +-+---------------- 1 ----------------\n"
        "    | Traceback (most recent call last):\n"
        '    |   File "/srv/a.py", line 8, in a\n'
        "    | ValueError: 1\n"
        "    +------------------------------------\n"
    )

    assert top_frame(stack, "ExceptionGroup") == 'File "/srv/a.py",, in a'


def test_traceback_without_frames_gives_nothing():
    assert top_frame("Traceback (most recent call last):\nMemoryError\n", "MemoryError") == ""


@pytest.mark.parametrize(
    "name", ["user-settings.js", "facade-decade.js", "v1.2.3.js", "jquery-3.7.1.min.js", "a.b.c.js"]
)
def test_ordinary_script_names_are_left_alone(name):
    assert top_frame(f"at f (https://x.example/{name}:1:2)", "E") == f"at f (https://x.example/{name})"


@pytest.mark.parametrize("hash_", [".3f9c2b1e.", "-3f9c2b1e.", ".3f9c2b1e0a1b2c3d4e5f."])
def test_content_hashes_are_taken_out(hash_):
    assert top_frame(f"at f (https://x.example/app{hash_}js:1:2)", "E") == "at f (https://x.example/app.<hash>.js)"


def test_long_lines_are_computed_and_not_kept():
    _cached_own_frame.cache_clear()
    name = "x" * CACHED_LINE_CHARS_MAX

    assert top_frame(f"at {name} (a.js:1:2)", "E") == f"at {name} (a.js)"
    assert _cached_own_frame.cache_info().currsize == 0


@pytest.mark.parametrize(
    "stack",
    [
        "Traceback (most recent call last)" + '\n File "/lib/python3/x", line 1' * 300,
        "Error: x" + "\n" * 8000,
        "Error: " + "@" * 8000,
        "@" * 8000,
        "Error: x\n" + "@" * 8000,
        "Error: x\n" + "x" * 4000 + "@" + "x" * 4000,
        "Error" * 1600,
        "at f.js 0x" + " + 1" * 2000,
        "Error: x\n" + ":1" * 4000,
        "at " + "node_modules/" * 600,
        "Error: x\n" + "\n".join(["kotlin."] * 1000),
        "at a.js-" + "0" * 8000,
        "at a.js-" + "a" * 8000 + "-" * 100,
        "a" * 8000,
        "a." * 4000 + ".js",
    ],
    ids=lambda stack: ascii(stack[:16]),
)
def test_hostile_stacks_take_no_longer_than_their_size_deserves(stack):
    def cpu_s() -> float:
        started = time.process_time()
        top_frame(stack + " ", "E")
        return time.process_time() - started

    assert fastest(cpu_s, 0.02) < 0.02


@given(st.text(max_size=300), st.text(max_size=20))
def test_any_text_gives_one_line(stack, error_type):
    assert "\n" not in top_frame(stack, error_type)


UUID_PARTS = ["-", "4f0c2d7a", "90b1-4c55", "4f0c2d7a-90b1-4c55-8a3e-00000000000a", "a", " "]


@given(st.text(alphabet="0aF9g -", max_size=3), st.lists(st.sampled_from(UUID_PARTS), max_size=12))
def test_uuids_are_found_where_the_regular_expression_finds_them(noise, parts):
    message = noise.join(parts)

    assert _without_uuids(message) == re.sub(_UUID, "<uuid>", message)
