"""What differs between two occurrences of one error, replaced in messages and routes. Part of fingerprint v2.

    user ada@example.test waited 1.5s for cart 9f2c41d07b   →   user <email> waited <n>s for cart <n>

GENERALIZE-1  Ids, numbers, times, addresses and literals go; words, codes and digits inside words stay. A number that
    says which error it is (`status code 404`, `React error #418`, `errno 13`) is a code.
GENERALIZE-2  One pass over a bounded text, and no pattern with nested repetition: a message costs microseconds, a
    hostile one no more than its length.
GENERALIZE-3  The same message gives the same text in every release of bloop: a released algorithm is not edited.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import unquote

MESSAGE_CHARS_MAX = 2048
TOKEN_CHARS_MIN = 8  # shorter ones may be words
PLAIN_TOKEN_CHARS_MIN = 10  # of a token without digits
COMPOUND_CHARS_MIN = 20  # of a token with hyphens or underscores within
# Share of a word's neighbouring characters that are a common pair of letters. English words and identifiers reach 0.84
# on average, a random token of letters and digits 0.2.
NATURAL_MIN = 0.45
NATURAL_MIN_PLAIN = 0.3
# Words written together, as in `OAuth2Client`, are runs of letters that begin with a capital or behind a digit.
RUN_CHARS_MIN = 3.0  # mean length of the runs of a name
RUNS_MIN = 3  # below that many, their length says little
CHANGES_MAX = 3  # between letters and digits in a name of TOKEN_CHARS_MIN + 2 or more
SUFFIX_DIGITS_MIN = 4  # behind a word in small letters: `user8812` holds an id, `address1` and `utf16` do not

# The letters that often follow a letter: the 190 most frequent pairs of English prose and source code.
_FOLLOWERS = (
    "a:bcdgilmnprstuy b:aeilou c:aehiklortu d:adeilos e:acdefglmnprstvx f:aefilor g:eirs h:aeio i:abcdefglmnoprstvz"
    " k:e l:adeilostuy m:aeiop n:acdefgiostuv o:bcdgilmnoprstuvw p:aeiloprst q:u r:acdeilmorst s:acehilopstu"
    " t:acehiloprstuy u:beilmnprst v:aei w:i x:t y:p z:e"
)
_COMMON_PAIRS = frozenset(part[0] + follower for part in _FOLLOWERS.split() for follower in part[2:])

_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[@-Z\\-_])")
_SPACE = re.compile(r"\s+")

_DAY = r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[ap]\.?m\b\.?)?"
_ZONE = r"(?: ?(?:z|utc|gmt)(?![a-z]))?(?: ?[+-]\d{2}:?\d{2})?(?: \([a-z ]{2,40}\))?"
_DATE = (
    rf"\d{{4}}-\d{{2}}-\d{{2}}(?:[t ]{_CLOCK}{_ZONE})?"
    rf"|(?:{_DAY},? )?{_MONTH} \d{{1,2}},? \d{{4}}(?:,? {_CLOCK}{_ZONE})?"
    rf"|(?:{_DAY},? )?\d{{1,2}}[ -]{_MONTH}[ -]\d{{4}}(?:,? {_CLOCK}{_ZONE})?"
    rf"|{_DAY} {_MONTH} +\d{{1,2}} {_CLOCK}(?: [a-z]{{3,4}})? \d{{4}}"
    rf"|\d{{1,2}}/\d{{1,2}}/\d{{2,4}}(?:,? {_CLOCK}{_ZONE})?"
    rf"|\d{{1,2}}\.\d{{1,2}}\.\d{{4}}(?:,? {_CLOCK}{_ZONE})?"
)
_NUMBER = r"[-+−]?\d+(?:[.,'’\u00a0\u202f]\d+)*(?:e[-+]?\d+(?![a-z]))?"
_UNIT = (
    r"(?:[µmunp]?s|secs?|seconds?|m|min|mins|minutes?|h|hrs?|hours?|d|days?|k|g|x|[kmgtp]?i?b|bytes?|bits?|px|em|rem|pt"
    r"|dpi|fps|hz|[kmg]hz|th|st|nd|rd|deg|rows?|items?)\b"
)

_HEXTET = "[0-9a-f]{1,4}"
_IPV6 = "|".join(
    (
        rf"(?:{_HEXTET}:){{2,7}}(?::?{_HEXTET})?(?::{_HEXTET}){{0,6}}",
        rf"(?:[0-9a-f]{{0,4}}::)(?:{_HEXTET}:){{0,6}}{_HEXTET}",
        rf"(?:{_HEXTET}:){{1,6}}:(?:{_HEXTET}:){{0,5}}{_HEXTET}",
    )
)
_CODE_NAME = (
    r"\b(?:errors?|err|errno|codes?|status|statuscode|http|http/\d\.\d|signal|sqlstate|exit|oserror|winerror"
    r"|sqlstate\[\w{5}\])(?: code| status| number| no\.?)?[ :=]{0,2}[\[(#]?"
)
_REASON = (
    "bad request|unauthorized|payment required|forbidden|not found|method not allowed|conflict|gone|too many requests"
    "|internal server error|not implemented|bad gateway|service unavailable|gateway time-?out"
)

# In this order: what may hold another stands before it.
_PATTERNS = {
    "url": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>`{}|\\^]+",
    "email": r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
    "trace": r"\b[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b",
    "jwt": r"\beyj[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    "uuid": r"(?<![0-9a-z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-z])",
    "date": rf"(?<![\w.])(?:{_DATE})(?![\w])",
    "ip6": rf"\[?(?<![\w:])(?:{_IPV6})(?:%\w+)?(?![\w:])\]?(?::\d{{1,5}})?",
    "clock": rf"(?<![\w.:])(?:{_CLOCK})(?![\w:])",
    "ip4": r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?:/\d{1,2})?(?::\d{1,5})?(?![\w.]*\d)",
    "pointer": r"\b0x[0-9a-f]+\b",
    "code": rf"(?:{_CODE_NAME}|(?<=[a-z] )#)-?\d{{1,5}}\b(?![.,:]?\d|%|/)|\b[a-z]{{2,8}}-\d{{2,6}}(?=:)",
    "reason": rf"\b[1-5]\d\d (?:{_REASON})\b",
    "literal": r"(?<!\w)'[^'\n]{0,400}'|\"[^\"\n]{0,400}\"|“[^”\n]{0,400}”|«[^»\n]{0,400}»",
    "number": rf"(?<![\w.\-])(?:{_NUMBER})(?![.,]?\d)(?P<unit>{_UNIT}|(?=\W|_|$))",
    "word": r"[-_]?[^\W_]+(?:[-_]+[^\W_]+)*",
}
_PARTS = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS.items()))
_LISTED = re.compile(r"<(n|str|ip)>(?:\s?,\s?<\1>)+")
_SQL = re.compile(r"\b(?:select .{0,400} from|insert into|update .{0,200} set|delete from|where|values ?\()")
_HEX = re.compile(r"[0-9a-f]+")
_SUFFIX = re.compile(rf"(?P<word>[^\W\d_]+)\d{{{SUFFIX_DIGITS_MIN},}}")
_CODE = re.compile(r"[A-Z]{1,6}\d{1,6}")  # ORA00942, PGRST301, E11000: the number is the error
_RUNS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_CHANGES = re.compile(r"\d(?=\D)|\D(?=\d)")
_POD = re.compile(r"-[0-9a-f]{8,10}-[a-z0-9]{5}$")
_JOINTS = re.compile(r"([-_]+)")
_ID_SEGMENT = re.compile(r"\d[\d.,-]*|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{8,}|\d+[-_~.][\w-]+", re.IGNORECASE)
_METHOD = re.compile(r"(?:get|post|put|patch|delete|head|options|trace|connect|query|mutation|subscription) ")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]{0,20}://[^/?#]*")


def generalize_message(message: str) -> str:
    """The message with everything replaced that differs between two occurrences of one error; lower case."""
    text = message[:MESSAGE_CHARS_MAX]
    if "\x1b" in text:
        text = _ESCAPES.sub("", text)
    text = _SPACE.sub(" ", text).strip()
    if _is_quoted(text):
        return "<str>"  # a KeyError's message is the key alone
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters have a longer small form: then case says nothing about ids
        text = lowered
    is_sql = "where" in lowered or "values" in lowered or "set" in lowered
    holds_values = bool(is_sql and _SQL.search(lowered)) or ('":' in lowered and "{" in lowered)

    def replace(found: re.Match[str]) -> str:
        kind = found.lastgroup if found.lastgroup != "unit" else "number"
        assert kind is not None, "every alternative has a name"
        if kind == "word":
            return _word(text[found.start() : found.end()])
        if kind == "literal":
            return _literal(found, lowered, holds_values=holds_values)
        if kind == "number":
            return f"<n>{found['unit']}"
        return _REPLACED[kind](found[0]) if kind in _REPLACED else f"<{_NAMES.get(kind, kind)}>"

    return _LISTED.sub(r"<\1>", _PARTS.sub(replace, lowered))


def generalize_route(route: str) -> str:
    """`GET https://x.example/orders/8812/items?page=2` → `GET /orders/<id>/items`: a path without query and ids."""
    text = _SPACE.sub(" ", route[:MESSAGE_CHARS_MAX]).strip()
    method = _METHOD.match(text.lower())
    method_chars = len(method[0]) if method else 0
    path = _ORIGIN.sub("", text[method_chars:], count=1)
    for end in ("?", "#"):
        path = path.partition(end)[0]
    return text[:method_chars].upper() + "/".join(_segment(segment) for segment in path.split("/"))


def is_random(text: str) -> bool:
    """Whether a word looks drawn at random: few of its neighbouring characters are common pairs of letters."""
    if len(text) < TOKEN_CHARS_MIN or _CODE.fullmatch(text):
        return False
    has_digits = any(map(str.isdigit, text))
    if not has_digits and (len(text) < PLAIN_TOKEN_CHARS_MIN or text.islower() or text.isupper()):
        return False
    if has_digits and (_HEX.fullmatch(text.lower()) or (len(text) > 9 and len(_CHANGES.findall(text)) > CHANGES_MAX)):
        return True
    runs = _RUNS.findall(text)
    if len(runs) >= RUNS_MIN + (not has_digits) and sum(map(len, runs)) < RUN_CHARS_MIN * len(runs):
        return True
    return _natural_share(text) < (NATURAL_MIN if has_digits else NATURAL_MIN_PLAIN)


def _natural_share(text: str) -> float:
    """Of the pairs of neighbouring characters, those that words have; a small letter before a capital is no pair, as in
    `camelCase`."""
    common = pairs = 0
    for first, second in pairwise(text):
        if first.islower() and second.isupper():
            continue
        pairs += 1
        common += (first + second).lower() in _COMMON_PAIRS
    return common / pairs if pairs else 0.0


def _is_quoted(text: str) -> bool:
    return len(text) > 2 and text[0] in "'\"`" and text[-1] == text[0] and text[0] not in text[1:-1]


def _word(text: str) -> str:
    """A word in its own case → in small letters, an id as `<n>`; parts joined by hyphens or underscores one by one."""
    if text.isalpha() and text.islower():
        return text
    if len(text) >= COMPOUND_CHARS_MIN and is_random(_JOINTS.sub("", text)) and not text.islower():
        return "<n>"
    return "".join(_part(part) for part in _JOINTS.split(_POD.sub("-0000", text)))


def _part(text: str) -> str:
    suffix = _SUFFIX.fullmatch(text)
    if suffix and not (len(text) >= TOKEN_CHARS_MIN and _HEX.fullmatch(text)):
        is_id = not _CODE.fullmatch(text)
        return f"{suffix['word'].lower()}<n>" if is_id else text.lower()
    return "<n>" if is_random(text) or (text.isdigit() and len(text) > 2) else text.lower()


def _literal(found: re.Match[str], text: str, *, holds_values: bool) -> str:
    """A quoted value is replaced where it is data: in SQL and JSON, behind `=`, or of several words. The name of a
    field or a token that the program quotes stays, with its ids replaced."""
    inside, quote = found[0][1:-1], found[0][0]
    is_key = text[found.end() : found.end() + 1] == ":" and "{" in text[: found.start()]
    if (holds_values and not is_key) or text[found.start() - 1 : found.start()] == "=" or " " in inside.strip():
        return "<str>"
    return quote + _LISTED.sub(r"<\1>", _inside(inside)) + found[0][-1]


def _inside(text: str) -> str:
    """The same replacements within quotes, but for quotes."""

    def replace(found: re.Match[str]) -> str:
        kind = found.lastgroup if found.lastgroup != "unit" else "number"
        assert kind is not None, "every alternative has a name"
        if kind == "word":
            return _word(found[0])
        if kind == "literal":
            return found[0]
        return f"<n>{found['unit']}" if kind == "number" else f"<{_NAMES.get(kind, kind)}>"

    return _PARTS.sub(replace, text)


def _url(url: str) -> str:
    """Scheme, host and path without ids; what follows a question mark or a hash is data."""
    trailing = url[len(url.rstrip(".,;:!?)]")) :]
    path = url[: len(url) - len(trailing)].partition("?")[0].partition("#")[0]
    scheme, _, rest = path.partition("://")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2].partition(":")[0] if "[" not in host else "<ip>"
    if host.replace(".", "").isdigit():
        host = "<ip>"
    return f"{scheme}://{host}{slash}{'/'.join(map(_segment, path.split('/')))}{trailing.strip('.,;:!?')}"


def _segment(segment: str) -> str:
    """A segment of a path: `<id>` for a number, a UUID, a hash, an e-mail address or a random token."""
    plain = unquote(segment)
    if not plain or plain[0] in ":{<[*$":  # a placeholder of the client's own
        return segment
    if _ID_SEGMENT.fullmatch(plain) and any(map(str.isdigit, plain)):
        return "<id>"
    if "@" in plain[1:] or is_random(plain) or _SUFFIX.fullmatch(plain):
        return "<id>"
    stem, dot, extension = plain.partition(".")
    return f"<id>.{extension}" if dot and (_ID_SEGMENT.fullmatch(stem) or is_random(stem)) else segment


def _same(text: str) -> str:
    return text


_REPLACED: dict[str, Callable[[str], str]] = {"url": _url, "code": _same, "reason": _same}
_NAMES = {
    "ip4": "ip",
    "ip6": "ip",
    "date": "time",
    "clock": "time",
    "trace": "n",
    "pointer": "n",
    "uuid": "n",
    "jwt": "n",
}
