from __future__ import annotations

import threading

import pytest

from bloop.base.errors import UnreadableRecord
from bloop.records.dictionary import CONTENT_BYTES_MAX, Dictionary, dictionary_id, shipped
from bloop.records.event import Event
from bloop.records.training import EVENTS_MIN, sample_of, train
from tests.unit.records.samples import make_event

SHIPPED_ID = 3234913587


def test_the_shipped_dictionary_is_the_one_that_stored_events_name():
    assert shipped().id == dictionary_id(shipped().content) == SHIPPED_ID
    assert len(shipped().content) <= CONTENT_BYTES_MAX


def test_an_event_is_a_third_of_its_size_with_the_shipped_dictionary():
    line = "    at Layer.handle [as handle_request] (/app/node_modules/express/lib/router/layer.js:95:5)\n"
    plain = (line + "    at next (/app/node_modules/express/lib/router/route.js:144:13)\n").encode() * 2

    assert len(shipped().pack(plain)) < len(plain) / 3


def test_unpacking_never_makes_more_than_the_head_promised():
    packed = shipped().pack(b"a" * 10_000)

    assert shipped().unpack(packed, 10_000) == shipped().unpack(packed, 10_063) == b"a" * 10_000
    for promised in (1, 5_000, 9_999):
        with pytest.raises(UnreadableRecord):
            shipped().unpack(packed, promised)


def test_what_another_dictionary_packed_is_unreadable_or_different():
    other = Dictionary(b"some other text that is long enough to be one" * 3)
    packed = shipped().pack(shipped().content[-500:])

    try:
        unpacked = other.unpack(packed, 500)
    except UnreadableRecord:
        return
    assert unpacked != shipped().content[-500:]


def test_threads_pack_and_unpack_at_the_same_time():
    texts = [f"    at f{n} (/app/src/{n}.js:{n}:1)\n".encode() * 20 for n in range(40)]
    wrong: list[bytes] = []

    def work() -> None:
        for _ in range(20):
            wrong.extend(t for t in texts if shipped().unpack(shipped().pack(t), len(t)) != t)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


STACKS = {
    "node": (
        "TypeError: secret\nsecond line of it\n    at load (/srv/a.js:2:8)\n    at async main (/srv/b.js:1:2)",
        ["    at load (/srv/a.js:2:8)", "    at async main (/srv/b.js:1:2)"],
    ),
    "browser": (
        "load@https://shop.example/app.js?token=secret:1:200\n@https://shop.example/app.js:1:5",
        ["load@https://shop.example/app.js:1:200", "@https://shop.example/app.js:1:5"],
    ),
    "python": (
        'Traceback (most recent call last):\n  File "/srv/a.py", line 2, in load\n    secret = 5\nKeyError: secret',
        ['  File "/srv/a.py", line 2, in load'],
    ),
    "java": (
        "java.io.IOException: secret\n\tat com.acme.A.load(A.java:5)\nCaused by: secret\n\t... 5 more",
        ["\tat com.acme.A.load(A.java:5)"],
    ),
    "swift": (
        "0   Acme  0x0000000104c8aaaa A.load() + 5",
        ["0   Acme  0x0000000104c8aaaa A.load() + 5"],
    ),
    "ruby": ("/app/a.rb:5:in `load'", ["/app/a.rb:5:in `load'"]),
    "go": (
        "panic: secret\n\ngoroutine 1 [running]:\nmain.load(...)\n\t/app/main.go:12 +0x1d",
        ["\t/app/main.go:12 +0x1d"],
    ),
}


@pytest.mark.parametrize("language", STACKS)
def test_training_takes_frames_and_leaves_messages_and_source_text(language):
    stack, frames = STACKS[language]

    assert sample_of(make_event(stack=stack)) == frames


def test_training_takes_keys_and_leaves_values():
    event = make_event(stack=None, metadata='{"cart":"secret","a key with spaces":1,"retry":{"inner":"secret"}}')

    assert sample_of(event) == ['"cart":', '"retry":']


def events_of_one_shop(count: int) -> list[Event]:
    return [
        make_event(
            message=f"secret-{n}",
            stack="".join(f"    at step{i} (/srv/shop/{n % 7}/file{i}.js:{i}:{n % 7})\n" for i in range(12)),
            metadata=f'{{"cart":"secret-{n}","plan":"gold"}}',
        )
        for n in range(count)
    ]


def test_a_trained_dictionary_holds_what_events_share_and_no_value():
    dictionary = train(events_of_one_shop(400))

    assert dictionary is not None
    assert b"/srv/shop/" in dictionary.content
    assert b"secret" not in dictionary.content
    assert b"gold" not in dictionary.content


def test_what_only_few_events_have_is_not_learnt():
    rare = [make_event(stack=f"    at rare (/srv/private/{n}.js:1:1)", metadata=None) for n in range(EVENTS_MIN - 1)]

    dictionary = train([*events_of_one_shop(400), *rare])

    assert dictionary is not None
    assert b"private" not in dictionary.content


def test_too_few_events_make_no_dictionary():
    assert train(events_of_one_shop(10)) is None
    assert train([make_event(stack=None)] * 500) is None
