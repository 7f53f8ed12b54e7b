"""Synthetic events like those of SDKs: four languages, 0.6 to 2 KB, 2,000 issues, every event distinct.

CORPUS-1  Event `n` has the same bytes on every call, and no two events are equal: message, user, request id and
    metadata contain `n`.
CORPUS-2  Events of one issue differ only in parts that grouping removes (numbers, UUIDs, addresses), so a corpus of N
    issues makes N issues, for any number of events.
CORPUS-3  An event is two pieces, `(own, shared)`; the bytes after the unique fields belong to its issue and are one
    object for all its events. So a million pre-rendered requests fit in memory.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

ISSUES = 2000
VARIANTS = 4  # (release, environment) pairs an issue is seen in
RELEASES = ("3.14.0", "3.14.1", "3.15.0", "3.15.1", "4.0.0-rc1", "4.0.0")
ENVIRONMENTS = ("production", "production", "production", "staging", "development")

_SPREAD = 0x9E3779B97F4A7C15  # odd, so multiplication permutes the 64-bit numbers
_MASK = (1 << 64) - 1
_USER_SPREAD = 0xDA942042E4DD58B5_9E3779B97F4A7C15
_USER_MASK = (1 << 128) - 1

_NOUNS = (
    "order invoice session basket payment account avatar shipment ticket coupon message upload search profile refund "
    "catalog device token report webhook"
)
_VERBS = (
    "load save parse render fetch delete update create validate resolve merge encode decode publish subscribe open "
    "close retry flush sync"
)
_PLACES = "checkout inventory billing gateway mailer scheduler reports identity media feed settings onboarding"


class Language(NamedTuple):
    """How events of one platform look; texts are for `str.format`."""

    source: str
    error_types: tuple[str, ...]
    messages: tuple[str, ...]  # each takes a number, an IPv4 octet, a UUID's last twelve digits
    stack_head: str  # the line before the frames; takes error type and message, "" where the SDK sends none
    frame: str  # takes place, verb, noun, line
    foreign_frame: str  # of a framework; takes a number
    route: str
    screen: str


LANGUAGES = (
    Language(
        "api",
        ("TypeError", "RangeError", "FetchError", "ValidationError"),
        (
            "Cannot read properties of undefined (reading '{noun}') of %d at 10.20.%d.7, 4f0c2d7a-90b1-4c55-8a3e-%012x",
            "{verb} of {noun} %d failed: connect ECONNREFUSED 10.0.%d.12:5432, attempt 550e8400-e29b-41d4-a716-%012x",
        ),
        "{type}: {message}\\n",
        "    at {verb}{noun_} (/srv/{place}/dist/services/{noun}.js:{line}:17)\\n",
        "    at Layer.handle [as handle_request] (/srv/app/node_modules/express/lib/router/layer.js:{line}:5)\\n",
        "/api/{place}/{noun}/:id",
        "",
    ),
    Language(
        "python",
        ("KeyError", "ValueError", "sqlalchemy.exc.OperationalError", "requests.exceptions.ConnectTimeout"),
        (
            "could not {verb} {noun} %d for worker 172.16.%d.9: deadline exceeded (job 7d9f1c3e-2b4a-4d6e-8f01-%012x)",
            "{noun} %d is not in state ready on host 192.168.%d.40, correlation 9b2e4f60-1c3d-4e5f-a6b7-%012x",
        ),
        "Traceback (most recent call last):\\n",
        '  File \\"/srv/{place}/{noun}/service.py\\", line {line}, in {verb}_{noun}\\n    return self._{verb}(item)\\n',
        '  File \\"/usr/lib/python3.11/site-packages/celery/app/trace.py\\", line {line}, in trace_task\\n'
        "    R = retval = fun(*args, **kwargs)\\n",
        "/{place}/{noun}",
        "",
    ),
    Language(
        "android",
        ("java.lang.NullPointerException", "java.lang.IllegalStateException", "java.io.IOException"),
        (
            "Attempt to {verb} a null {noun} (item %d, peer 10.8.%d.2, session c0ffee00-1234-4abc-9def-%012x)",
            "{noun} %d not attached to {place}, host 10.9.%d.3, install 01234567-89ab-4cde-8f01-%012x",
        ),
        "{type}: {message}\\n",
        "\\tat com.acme.{place}.{noun_}Fragment.{verb}{noun_}({noun_}Fragment.kt:{line})\\n",
        "\\tat android.os.Handler.dispatchMessage(Handler.java:{line})\\n",
        "",
        "{noun_}Fragment",
    ),
    Language(
        "ios",
        ("NSInvalidArgumentException", "DecodingError", "URLError"),
        (
            "keyNotFound({noun}) while {verb} element %d from 10.4.%d.5, request aaaabbbb-cccc-4ddd-8eee-%012x",
            "The {noun} %d could not be shown, endpoint 10.5.%d.6 answered late, id 11112222-3333-4444-8555-%012x",
        ),
        "",
        "{i}   Acme    0x0000000104c8{line:04x} {place}.{noun_}Controller.{verb}() + {line}\\n",
        "{i}   UIKitCore    0x00000001845a{line:04x} -[UIApplication _run] + {line}\\n",
        "",
        "{noun_}View",
    ),
)


class _Issue(NamedTuple):
    own: bytes  # a template that takes number, octet, uuid (again, if the stack repeats the message), user, n, ms
    repeats_message: bool
    shared: tuple[bytes, ...]  # by variant


class Corpus:
    """Events by number. `run` is part of every request id, so that runs can be told apart."""

    def __init__(
        self,
        run: str = "bench",
        *,
        issues: int = ISSUES,
        timestamp_ms: int = 1_763_000_000_000,
        languages: Sequence[Language] = LANGUAGES,
    ) -> None:
        self.run = run
        self._timestamp_ms = timestamp_ms
        rng = random.Random(20_251_121)  # noqa: S311
        self._issues = [_issue(rng, number, run, languages[number % len(languages)]) for number in range(issues)]

    def event(self, n: int) -> tuple[bytes, bytes]:
        """The JSON of event `n` in two pieces (CORPUS-3)."""
        spread = (n * _SPREAD & _MASK) >> 16
        # Squaring favours the low numbers: a tenth of the issues gets about a third of the events.
        issue = self._issues[(spread & 0xFFFF) ** 2 * len(self._issues) >> 32]
        message = (n, spread & 0xFF, n)
        user = n * _USER_SPREAD & _USER_MASK
        tail = message if issue.repeats_message else ()
        own = issue.own % (self._timestamp_ms + (n >> 3), *message, user, n, n & 0xFFF, *tail)
        return own, issue.shared[(spread >> 16) % VARIANTS]

    def body(self, n: int) -> bytes:
        """The JSON of event `n`."""
        return b"".join(self.event(n))


def _issue(rng: random.Random, number: int, run: str, language: Language) -> _Issue:
    words = {
        "noun": rng.choice(_NOUNS.split()),
        "verb": rng.choice(_VERBS.split()),
        "place": rng.choice(_PLACES.split()),
        "type": rng.choice(language.error_types),
    }
    words["noun"] += _letters(number)  # letters make the issue distinct: grouping keeps them
    words["noun_"] = words["noun"].capitalize()
    message = rng.choice(language.messages).format(**words)
    stack = _frames(rng, language, words).replace("%", "%%")
    head = language.stack_head.format(**words, message=message)
    repeats = "{message}" in language.stack_head
    own = (
        '{"timestamp":%d,"source":"' + language.source + '","error_type":"' + words["type"] + '","message":"' + message
        + '","user_id_hash":"%032x","request_id":"' + run + '-%d","metadata":{"cart":%d,"feature":"' + words["place"]
        + '","retry":false,"tags":["' + words["noun"] + '","eu"]},"stack":"' + head
    )  # fmt: skip
    variants = tuple(_shared(rng, language, words, stack) for _ in range(VARIANTS))
    return _Issue(own.encode(), repeats, variants)


def _frames(rng: random.Random, language: Language, words: dict[str, str]) -> str:
    own = rng.randint(1, 4)
    foreign = rng.randint(2, 11)
    lines = [language.frame.format(**words, i=i, line=rng.randint(10, 900)) for i in range(own)]
    lines += [language.foreign_frame.format(i=own + i, line=rng.randint(10, 900)) for i in range(foreign)]
    if language.source == "python":
        lines.reverse()  # innermost frame last
    return "".join(lines)


def _shared(rng: random.Random, language: Language, words: dict[str, str], stack: str) -> bytes:
    route = f'"route_or_procedure":"{language.route.format(**words)}","http_status":500,' if language.route else ""
    screen = f'"screen":"{language.screen.format(**words)}","build_number":"4711",' if language.screen else ""
    release, environment = rng.choice(RELEASES), rng.choice(ENVIRONMENTS)
    return (
        f'{stack.replace("%%", "%")}",{route}{screen}"app_version":"{release}","release":"{release}",'
        f'"environment":"{environment}"}}'
    ).encode()


def _letters(number: int) -> str:
    text = ""
    while True:
        number, digit = divmod(number, 26)
        text += chr(ord("a") + digit)
        if not number:
            return text
