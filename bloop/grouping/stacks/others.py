"""Languages whose frames need one pattern each: PHP, Dart, Elixir and Erlang, Perl, Android native code, gdb."""

from __future__ import annotations

import re

from bloop.grouping.stacks.grammar import CAUSED_BY, CERTAIN, LIKELY, WHILE_HANDLING, Grammar, number
from bloop.grouping.stacks.model import Frame

_PHP = re.compile(
    r"^\s*#?\d+[.)]? +(?P<file>\[internal function\]|\S.*?)(?:\((?P<line>\d+)\))?: (?P<function>[\w\\{}:>\-$@.]+)\(.*$"
)
_PHP_FILE = re.compile(r"^\s*#\d+ (?P<file>/\S+|[A-Za-z]:\\\S+)\((?P<line>\d+)\)$")
_PHP_MAIN = re.compile(r"^\s*#\d+ \{main\}$")
_PHP_LIBRARY = re.compile(r"[/\\]vendor[/\\]|^\[internal function\]$|phar://")
_PHP_NEXT = re.compile(r"^Next (?P<heading>\S.*)$")
_PHP_PREVIOUS = re.compile(r"^\s*(?:\[previous exception\]|Previous:?) ?(?P<heading>.*)$")


class Php(Grammar):
    """php.net/manual/en/throwable.gettraceasstring.php"""

    language = "PHP"
    preamble = re.compile(r"^(?:\[stacktrace\]|Stack trace:|#\d+ \{main\}|\"\})$")

    def evidence(self, line: str) -> int:
        if _PHP_MAIN.match(line) or _PHP_FILE.match(line):
            return CERTAIN
        match = _PHP.match(line)
        if match is None:
            return 0
        return CERTAIN if match["line"] or match["file"].startswith("[internal") else 0

    def frame(self, line: str) -> Frame | None:
        match = _PHP.match(line) or _PHP_FILE.match(line)
        if match is None or not self.evidence(line):
            return None
        file = match["file"]
        function = match.groupdict().get("function") or ""
        return Frame(function, file, number(match["line"]), None, not _PHP_LIBRARY.search(file))

    def link(self, line: str) -> tuple[str, str] | None:
        if (match := _PHP_NEXT.match(line)) is not None:
            return WHILE_HANDLING, match["heading"]
        match = _PHP_PREVIOUS.match(line)
        return (CAUSED_BY, match["heading"]) if match is not None else None


_DART = re.compile(
    r"^#(?P<n>\d+) +(?P<function>\S.*?) \((?P<file>[a-z][\w+.\-]*:\S+?|\S+\.dart)(?::(?P<line>\d+))?(?::"
    r"(?P<column>\d+))?\)$"
)
_DART_TERSE = re.compile(
    r"^(?P<file>(?:package|dart):\S+|\S+\.dart) (?P<line>\d+):(?P<column>\d+) +(?P<function>\S.*)$"
)
_DART_LIBRARY = re.compile(
    r"^(?:dart:|package:(?:flutter|flutter_test|async|test_api|stack_trace|http|dio|bloc|riverpod"
    r"|provider)\w*/)|^org-dartlang-sdk:"
)


class Dart(Grammar):
    """api.dart.dev StackTrace, and the terse form of package:stack_trace."""

    language = "Dart"

    def evidence(self, line: str) -> int:
        match = _DART.match(line) or _DART_TERSE.match(line)
        return CERTAIN + 1 if match is not None else 0

    def frame(self, line: str) -> Frame | None:
        match = _DART.match(line) or _DART_TERSE.match(line)
        if match is None:
            return None
        file = match["file"]
        return Frame(
            match["function"], file, number(match["line"]), number(match["column"]), not _DART_LIBRARY.match(file)
        )

    def is_mark(self, line: str) -> bool:
        return line in ("<asynchronous suspension>", "===== asynchronous gap ===========================")


_BEAM = re.compile(
    r"^\s+(?:\((?P<app>[\w]+)(?: [\w.+\-]+)?\) )?(?P<file>[^\s:()]+\.(?:exs?|erl|eex|heex|leex)):"
    r"(?P<line>\d+): (?P<function>\S.*)$"
)
_BEAM_NO_FILE = re.compile(r"^\s+\((?P<app>\w+)(?: [\w.+\-]+)?\) (?P<function>:?[\w.]+\.[\w!?]+/\d+)$")
_BEAM_LIBRARY = re.compile(
    r"^(?:elixir|stdlib|kernel|erts|ecto|ecto_sql|phoenix\w*|plug\w*|db_connection|postgrex|cowboy|ranch|bandit|oban"
    r"|thousand_island|telemetry|ex_unit|mix|logger|iex|jason|absinthe\w*|gen_stage|broadway)$"
)


class Beam(Grammar):
    """hexdocs.pm/elixir/Exception.html#format_stacktrace/1"""

    language = "Elixir"

    def evidence(self, line: str) -> int:
        return CERTAIN if _BEAM.match(line) or _BEAM_NO_FILE.match(line) else 0

    def frame(self, line: str) -> Frame | None:
        if (match := _BEAM.match(line)) is not None:
            in_app = not (_BEAM_LIBRARY.match(match["app"] or "") or "/deps/" in match["file"])
            return Frame(match["function"], match["file"], number(match["line"]), None, in_app)
        if (match := _BEAM_NO_FILE.match(line)) is not None:
            return Frame(match["function"], "", None, None, not _BEAM_LIBRARY.match(match["app"]))
        return None


_PERL = re.compile(
    r"^\s+(?P<function>[\w:]+|eval \{\.\.\.\}|require \S+)(?:\(.*\))? called at (?P<file>\S.*?) line "
    r"(?P<line>\d+)\.?$"
)
_PERL_DIED = re.compile(r"^(?P<message>.*) at (?P<file>\S+\.(?:p[lm]|t|cgi|psgi)) line (?P<line>\d+)\.?$")
_PERL_LIBRARY = re.compile(r"/(?:site_|vendor_)?perl5?/|/share/perl|/local/lib/perl5/")


class Perl(Grammar):
    """perldoc.perl.org/Carp: where it died, then who called."""

    language = "Perl"

    def evidence(self, line: str) -> int:
        return CERTAIN if _PERL.match(line) else LIKELY if _PERL_DIED.match(line) else 0

    def frame(self, line: str) -> Frame | None:
        match = _PERL.match(line) or _PERL_DIED.match(line)
        if match is None:
            return None
        file = match["file"]
        function = match.groupdict().get("function") or ""
        return Frame(function, file, number(match["line"]), None, not _PERL_LIBRARY.search(file))

    def headed(self, line: str) -> str | None:
        match = _PERL_DIED.match(line) if not _PERL.match(line) else None
        return match["message"] if match is not None else None


_ANDROID = re.compile(
    r"^\s*#\d+ pc (?:0x)?[0-9a-f]{6,16}\s+(?P<file>\S+)(?: \(offset 0x[0-9a-f]+\))?"
    r"(?: \((?P<function>(?!BuildId).+?)(?:\+\d+)?\))?"
    r"(?: \(BuildId: [0-9a-f]+\))?$"
)
_ANDROID_LIBRARY = re.compile(
    r"^/(?:apex|system|vendor|product)/|/lib(?:c|art|hwui|flutter|jsc|hermes|reactnative\w*|unity"
    r"|il2cpp)\.so$|^<anonymous:|\[anon:"
)


class AndroidNative(Grammar):
    """source.android.com/docs/core/tests/debug/native-crash"""

    language = "Android native"
    preamble = re.compile(r"^backtrace:$")

    def evidence(self, line: str) -> int:
        return CERTAIN if _ANDROID.match(line) else 0

    def frame(self, line: str) -> Frame | None:
        match = _ANDROID.match(line)
        if match is None:
            return None
        file = match["file"]
        return Frame(match["function"] or "", file, None, None, not _ANDROID_LIBRARY.search(file))


_GDB = re.compile(
    r"^#\d+ +(?:0x[0-9a-f]+ in )?(?P<function>\S.*?) ?\((?P<arguments>.*?)\)"
    r"(?: at (?P<file>\S.*?):(?P<line>\d+)(?::(?P<column>\d+))?| from (?P<binary>\S+)| \((?P<module>[^()]+)\))?$"
)
_GDB_LIBRARY = re.compile(
    r"^/(?:usr/)?lib|/lib/x86_64-linux-gnu/|/lib(?:c|stdc\+\+|pthread|gcc_s)[-.]|^/build/|/sysdeps/"
    r"|/nptl/|^\./"
)
_GDB_RUNTIME = re.compile(
    r"^(?:raise|abort|__GI_|__libc_|_start|clone|start_thread|__assert|std::|__gnu_cxx|__cxa|__sanitizer"
    r"|__asan|__interceptor)"
)


class Gdb(Grammar):
    """sourceware.org/gdb, and the same shape from lldb's and the sanitizers' backtraces."""

    language = "C/C++"

    def evidence(self, line: str) -> int:
        match = _GDB.match(line)
        if match is None:
            return 0
        return CERTAIN if match["file"] or match["binary"] or " in " in line else LIKELY

    def frame(self, line: str) -> Frame | None:
        match = _GDB.match(line)
        if match is None:
            return None
        file = match["file"] or match["binary"] or match["module"] or ""
        in_app = not (_GDB_LIBRARY.search(file) or _GDB_RUNTIME.match(match["function"]))
        return Frame(match["function"], file, number(match["line"]), number(match["column"]), in_app)
