from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop.grouping.stacks import parse as stacks
from bloop.grouping.stacks.model import Frame, Stack
from bloop.grouping.stacks.parse import parse

V8 = """\
TypeError: Cannot read properties of undefined (reading 'id')
    at CartStore.total (https://shop.example/assets/app.4f2a.js:12:3456)
    at https://shop.example/assets/app.4f2a.js:1:22
    at async Promise.all (index 0)
    at processTicksAndRejections (node:internal/process/task_queues:95:5)
    at new Foo (/srv/node_modules/x/index.js:1:2)
Caused by: Error: inner
    at inner (/srv/src/a.ts:1:2)"""
GECKO = "total@https://shop.example/app.js:12:34\n@https://shop.example/app.js:1:2\nreaction@[native code]"
PYTHON = """\
Traceback (most recent call last):
  File "/srv/app/db.py", line 10, in connect
    return psycopg.connect(dsn)
           ^^^^^^^^^^^^^^^^^^^^
  File "/srv/.venv/lib/python3.11/site-packages/psycopg/connection.py", line 748, in connect
    raise last_ex.with_traceback(None)
psycopg.OperationalError: connection refused
is it running?

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/app/api.py", line 20, in pay
    connect()
ServiceUnavailable: no db"""
JAVA = """\
java.lang.IllegalStateException: x
\tat android.app.Activity.onCreate(Activity.java:100)
\tat com.acme.Home.onCreate(Home.kt:17)
\tat java.lang.reflect.Method.invoke(Native Method)
Caused by: java.lang.NullPointerException: y
\tat com.acme.Repo.load(Repo.kt:3)
\t... 12 more"""
SWIFT = """\
0   Wallet        0x0000000104a1b2c3 CheckoutViewModel.apply(coupon:) (CheckoutViewModel.swift:88)
1   Wallet        0x0000000104a1b2c3 $s6Wallet8CheckoutV3payyyF + 124
2   UIKitCore     0x00000001a2b3c4d5 -[UIApplication sendAction:to:from:forEvent:] + 100"""
RUBY = """\
app/jobs/invoice_job.rb:42:in 'InvoiceJob#perform': boom (RuntimeError)
\tfrom app/jobs/invoice_job.rb:40:in 'InvoiceJob#run'
\tfrom /usr/local/bundle/gems/sidekiq-7.2.0/lib/sidekiq/processor.rb:202:in `execute_job'"""
GO = """\
panic: runtime error: invalid memory address

goroutine 18 [running]:
main.(*Server).handle(0xc000010000, {0x1, 0x2})
\t/home/app/server.go:42 +0x1d
net/http.HandlerFunc.ServeHTTP(0x1)
\t/usr/local/go/src/net/http/server.go:2136 +0x29
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3086 +0x5cb"""
RUST = """\
thread 'main' panicked at src/main.rs:4:5:
explicit panic
stack backtrace:
   0: core::panicking::panic_fmt
             at /rustc/82e1608df/library/core/src/panicking.rs:67:14
   1: ledger::post::h0123456789abcdef
             at ./src/ledger.rs:4:5"""
DOTNET = """\
System.InvalidOperationException: Sequence contains no elements
   at System.Linq.ThrowHelper.ThrowNoElementsException()
   at Acme.Orders.OrderService.Latest(Guid id) in C:\\src\\OrderService.cs:line 42
--- End of stack trace from previous location ---"""
ALL = (V8, GECKO, PYTHON, JAVA, SWIFT, RUBY, GO, RUST, DOTNET)


def frame_count(stack: Stack) -> int:
    return sum(len(section.frames) for section in stack.sections)


@pytest.mark.parametrize(
    ("text", "language", "app_frames"),
    [
        (V8, "JavaScript", [("CartStore.total", 12), ("", 1), ("inner", 1)]),
        (GECKO, "JavaScript", [("total", 12), ("", 1)]),
        (PYTHON, "Python", [("pay", 20), ("connect", 10)]),
        (JAVA, "Java/Kotlin", [("com.acme.Home.onCreate", 17), ("com.acme.Repo.load", 3)]),
        (SWIFT, "Swift", [("CheckoutViewModel.apply(coupon:)", 88), ("$s6Wallet8CheckoutV3payyyF", None)]),
        (RUBY, "Ruby", [("InvoiceJob#perform", 42), ("InvoiceJob#run", 40)]),
        (GO, "Go", [("main.(*Server).handle", 42)]),
        (RUST, "Rust", [("ledger::post", 4)]),
        (DOTNET, ".NET", [("Acme.Orders.OrderService.Latest(Guid id)", 42)]),
    ],
    ids=["v8", "gecko", "python", "java", "swift", "ruby", "go", "rust", "dotnet"],
)
def test_each_language_is_told_and_its_application_frames_are_found(
    text: str, language: str, app_frames: list[tuple[str, int | None]]
) -> None:
    stack = parse(text)

    found = [(f.function, f.line) for section in stack.sections for f in section.frames if f.in_app]
    assert stack.language == language
    assert found == app_frames


def test_python_is_turned_around_and_carries_its_source_lines() -> None:
    first, second = parse(PYTHON).sections

    assert (first.relation, first.heading) == ("", "ServiceUnavailable: no db")
    assert first.frames == (Frame("pay", "/srv/app/api.py", 20, None, True, "connect()"),)
    assert (second.relation, second.heading) == (
        "Caused by",
        "psycopg.OperationalError: connection refused\nis it running?",
    )
    assert [f.code for f in second.frames] == ["raise last_ex.with_traceback(None)", "return psycopg.connect(dsn)"]


def test_causes_become_sections_after_the_reported_exception() -> None:
    assert [(s.relation, s.heading) for s in parse(JAVA).sections] == [
        ("", "java.lang.IllegalStateException: x"),
        ("Caused by", "java.lang.NullPointerException: y"),
    ]
    assert [(s.relation, s.heading) for s in parse(V8).sections][1] == ("Caused by", "Error: inner")


def test_lines_that_are_no_frames_become_headings_and_notes() -> None:
    assert parse(JAVA).sections[1].notes == ("... 12 more",)
    assert parse(DOTNET).sections[0].notes == ()  # it only says that others follow
    assert parse(RUST).sections[0].heading == "thread 'main' panicked at src/main.rs:4:5:\nexplicit panic"


def test_runs_keep_the_order_and_fold_neighbours_of_one_kind() -> None:
    runs = parse(V8).sections[0].runs

    assert [(run.in_app, len(run.frames)) for run in runs] == [(True, 2), (False, 3)]


def test_locations_name_file_line_and_column_as_far_as_known() -> None:
    frames_found = parse(V8).sections[0].frames

    assert frames_found[0].location == "https://shop.example/assets/app.4f2a.js:12:3456"
    assert parse(SWIFT).sections[0].frames[1].location == "Wallet"
    assert parse(RUST).sections[0].frames[1].location == "./src/ledger.rs:4:5"


@pytest.mark.parametrize("text", ["", "hello world\nnothing here", "\n\n", "Error: just a message"])
def test_a_text_without_frames_has_no_sections(text: str) -> None:
    assert parse(text).sections == ()


def test_a_stack_without_application_frames_says_so() -> None:
    (section,) = parse("E: x\n    at f (node:internal/a:1:2)\n    at g (/a/node_modules/b.js:3:4)").sections

    assert not section.has_app_frames


def test_what_is_beyond_the_bounds_is_left_out_and_counted() -> None:
    line = "    at f (/srv/a.js:1:2)"
    many = parse("\n".join([line] * (stacks.LINES_MAX + 7)))
    huge = parse("\n".join([line + " " * 5000] * 30))

    assert (frame_count(many), many.lines_cut) == (stacks.LINES_MAX, 7)
    assert huge.lines_cut > 0
    assert frame_count(huge) + huge.lines_cut == 30


@given(st.lists(st.sampled_from("\n".join(ALL).split("\n")) | st.text(max_size=60), max_size=40).map("\n".join))
def test_any_mixture_of_lines_is_read_without_an_error(text: str) -> None:
    stack = parse(text)

    assert frame_count(stack) <= text.count("\n") + 1
    for section in stack.sections:
        assert sum(len(run.frames) for run in section.runs) == len(section.frames)


@given(st.sampled_from(ALL), st.integers(min_value=0, max_value=800))
def test_a_stack_cut_anywhere_is_read_without_an_error(text: str, length: int) -> None:
    cut = parse(text[:length])

    assert frame_count(cut) <= frame_count(parse(text))


STACKS = json.loads((Path(__file__).parents[2] / "vectors/stacks.json").read_text())


@pytest.mark.parametrize("vector", STACKS, ids=[vector["name"] for vector in STACKS])
def test_stacks_of_many_runtimes_show_the_applications_own_calls(vector: dict[str, Any]) -> None:
    stack = parse(vector["text"])

    def is_one_of(frames: list[Frame], function: str, location: str) -> bool:
        return any(function in frame.function and location in frame.location for frame in frames)

    frames = [frame for section in stack.sections for frame in section.frames]
    own = [frame for frame in frames if frame.in_app]
    assert stack.language == vector["language"]
    assert stack.top_app_frame is not None
    assert is_one_of([stack.top_app_frame], *vector["top"]), stack.top_app_frame
    for function, location in vector["own"]:
        assert is_one_of(own, function, location), (function, location, own)
    for name in vector["folded"]:
        assert not is_one_of(own, name, "")
        assert any(name in frame.function or name in frame.location for frame in frames if not frame.in_app), name


def test_members_of_an_exception_group_follow_it() -> None:
    group = next(vector["text"] for vector in STACKS if vector["name"] == "pygroup")

    sections = parse(group).sections

    assert [(section.relation, section.heading) for section in sections] == [
        ("", "ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)"),
        ("One of them", "ValueError: a"),
        ("One of them", "KeyError: 'b'"),
    ]


def test_goroutines_are_told_apart() -> None:
    panic = next(vector["text"] for vector in STACKS if vector["name"] == "go-panic")

    relations = [(section.relation, section.heading.splitlines()[-1]) for section in parse(panic).sections]

    assert relations == [("", "goroutine 6 [running]"), ("Another thread", "goroutine 1 [runnable]")]


@pytest.mark.parametrize("text", ["Something went wrong at home\nand here: too", '{"at": "noon"}', "at", "at at at"])
def test_prose_is_no_stack(text: str) -> None:
    assert parse(text).sections == ()
