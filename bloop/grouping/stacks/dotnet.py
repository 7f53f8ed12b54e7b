"""What .NET, Mono and Unity print. The words around a frame are in the language of the machine.

.NET prints the innermost exception's frames first, then those of the exceptions that wrap it, so sections come in that
order: what was thrown first, then what it was thrown again as.
"""

from __future__ import annotations

import re

from bloop.grouping.stacks.grammar import CAUSED_BY, CERTAIN, LIKELY, THROWN_AGAIN, Grammar, number
from bloop.grouping.stacks.model import Frame

_NAME = r"[\w`<>\[\],+&*|@$=.\-]+"
_AT = r"(?:at|bei|à|en|em|a|в|w|pri|ved|vid|som|kohteessa|在|於|位于|場所|위치:?)"
_FRAME = re.compile(
    rf"^\s*{_AT} (?P<function>{_NAME})\((?P<arguments>[^()]*(?:\([^()]*\)[^()]*)*)\)"
    r"(?: \S{1,8} (?P<file>\S.*?):\S{1,8}[ \u00a0]?(?P<line>\d+)\.?)?(?:<---)?\s*$"
)
_LOCATED = re.compile(r"\) \S{1,8} \S.*:\S{1,8}[ \u00a0]?\d+\.?(?:<---)?\s*$")
_TYPED = re.compile(r"^\s*$|^[\w`.\[\]&<>*]+ [\w@]+(?:, |$)|^Closure(?: ,|$)")
_OWN = re.compile(r"^(?:System|Microsoft)\.")
_LIBRARY = re.compile(
    r"^(?:System|Microsoft|Npgsql|Newtonsoft|MediatR|Polly|Serilog|Dapper|AutoMapper|Castle|NHibernate|Grpc|Hangfire"
    r"|MassTransit|StackExchange|RabbitMQ|Amazon|Azure|Google|Xunit|NUnit|Unity\w*|TMPro)\.|^lambda_method|^dynamicClass\."
)
_MONO = re.compile(
    rf"^\s*at (?P<function>(?:\(wrapper [\w\-]+\) )?{_NAME}) ?(?:<[^>]*> )?\((?P<arguments>[^()]*)\) "
    r"(?:\[0x[0-9a-f]+\]|<0x[0-9a-f]+ \+ 0x[0-9a-f]+>) in (?P<file>.+?):(?P<line>\d+)\s*$"
)
_UNITY = re.compile(
    rf"^(?P<function>{_NAME}(?:[.:]{_NAME})?) ?\((?P<arguments>[^()]*)\)(?: \(at (?P<file>.+?):"
    rf"(?P<line>\d+)\))$"
)
_NO_FILE = re.compile(r"^<[0-9a-f]+>$")
_LINK = re.compile(r"^\s*---> (?:\(Inner Exception #\d+\) )?(?P<heading>.*)$")
_END_OF_INNER = re.compile(r"^\s*--- .*(?:inner|inneren|interne|interna|внутренн|内部|內部|내부).*---$", re.IGNORECASE)
_MARK = re.compile(r"^\s*---.*---$|^\s*<---$|^Rethrow as \S+: .*$")


class DotNet(Grammar):
    language = ".NET"

    def evidence(self, line: str) -> int:
        if _MONO.match(line) or _LINK.match(line) or _END_OF_INNER.match(line):
            return CERTAIN
        match = _FRAME.match(line)
        if match is None:
            return 0
        if _LOCATED.search(line) or _OWN.match(match["function"]):
            return CERTAIN
        return LIKELY if "." in match["function"] and _TYPED.match(match["arguments"]) else 0

    def frame(self, line: str) -> Frame | None:
        match = _MONO.match(line) or _UNITY.match(line) or _FRAME.match(line)
        if match is None:
            return None
        file, function = match["file"] or "", f"{match['function']}({match['arguments']})"
        if _NO_FILE.match(file):
            return Frame(function, "", None, None, not _LIBRARY.match(function))
        return Frame(function, file, number(match["line"]), None, not _LIBRARY.match(function))

    def link(self, line: str) -> tuple[str, str] | None:
        if (match := _LINK.match(line)) is not None:
            return CAUSED_BY, match["heading"]
        return (THROWN_AGAIN, "") if _END_OF_INNER.match(line) else None

    def is_mark(self, line: str) -> bool:
        return bool(_MARK.match(line))


class Unity(DotNet):
    """Unity's editor and player print `Class.Method (Args) (at Assets/File.cs:12)`."""

    language = "Unity"

    def evidence(self, line: str) -> int:
        match = _UNITY.match(line) or _MONO.match(line)
        if match is None:
            return 0
        return CERTAIN + 1 if _UNITY.match(line) or "UnityEngine" in line else CERTAIN
