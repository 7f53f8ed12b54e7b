"""Java, Kotlin, Scala and Android: `at package.Class.method(File.java:12)`, causes and suppressed exceptions below.

The bracket holds a file, or what R8, JSP compilers and the runtime put there (java.lang.StackTraceElement).
"""

from __future__ import annotations

import re

from bloop.grouping.stacks.grammar import CAUSED_BY, CERTAIN, LIKELY, POSSIBLE, SUPPRESSED, Grammar, number
from bloop.grouping.stacks.model import Frame

# Module or class loader, class and method, then the place; packaging data of logback may follow.
_FRAME = re.compile(
    r"^\s*at (?:[\w.$@-]*/{1,2})?(?P<function>[\w$<>.\-]+\.[\w$<>\-]+)\((?P<place>[^()]*)\)(?:\s+~?\[[^\]]*\])?$"
)
_FILE = re.compile(r"^[^\s:]+\.(?:java|kt|kts|scala|groovy|clj|cljc|jsp|tag|aj)(?::-?\d+)?$")
_WORDS = re.compile(
    r"^(?:Native Method|Unknown Source(?::\d+)?|SourceFile(?::\d+)?|<generated>|R8\$\S*|r8-map-id-\S+)$"
)
_PLACE = re.compile(r"^(?P<file>.*?)(?::(?P<line>-?\d+))?$")
_LIBRARY = re.compile(
    r"^(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy|clojure|android|androidx|com\.android"
    r"|com\.google\.android|dalvik|libcore|okhttp3|okio|retrofit2|io\.reactivex|io\.netty|reactor|dagger|rx"
    r"|org\.springframework|org\.apache|org\.hibernate|org\.jetbrains|org\.junit|org\.eclipse|org\.jboss|ch\.qos"
    r"|com\.zaxxer|com\.fasterxml|com\.google\.common|io\.ktor|io\.micronaut|io\.quarkus|akka|play|zio|cats)\."
)
_LINK = re.compile(r"^\s*(?:\[CIRCULAR REFERENCE: ?)?(?P<relation>Caused by|Suppressed|Wrapped by): ?(?P<heading>.*)$")


class Jvm(Grammar):
    language = "Java/Kotlin"
    preamble = re.compile(r"^(?:FATAL EXCEPTION: .*|Process: \S+, PID: \d+|Exception in thread \"[^\"]*\"\s*)$")

    def evidence(self, line: str) -> int:
        match = _FRAME.match(line)
        if match is None:
            return 0
        place = match["place"]
        if _FILE.match(place) or _WORDS.match(place):
            return CERTAIN
        if not place or " " in place or "/" in place:
            return 0
        return LIKELY if ":" in place else POSSIBLE

    def frame(self, line: str) -> Frame | None:
        match = _FRAME.match(line)
        if match is None:
            return None
        function, place = match["function"], _PLACE.match(match["place"])
        assert place is not None, "every part of the pattern may be empty"
        return Frame(function, place["file"], number(place["line"]), None, not _LIBRARY.match(function))

    def link(self, line: str) -> tuple[str, str] | None:
        match = _LINK.match(line)
        if match is None:
            return None
        return (SUPPRESSED if match["relation"] == "Suppressed" else CAUSED_BY), match["heading"]
