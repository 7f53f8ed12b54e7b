"""The place in the program that a stack speaks of, as text that is the same in every build. Part of fingerprint v2.

PLACE-1  It is the first call of the application, of the innermost cause where the outer exceptions only wrap another.
    Without calls of the application it is the first call that is not the runtime's own, else the first.
PLACE-2  Line numbers, arguments, addresses, content hashes, folders of a build or deployment, hosts, and numbers that
    compilers give to lambdas, closures and proxies are left out of it.
PLACE-3  Part of a released algorithm: not edited.
"""

from __future__ import annotations

import re

from bloop.grouping.stacks.grammar import CAUSED_BY, MEMBER
from bloop.grouping.stacks.model import Frame, Section, Stack

# Exceptions that say "something failed below", as their runtimes and frameworks name them.
_WRAPPER = re.compile(
    r"(?:InvocationTarget|Execution|Completion|UndeclaredThrowable|ExceptionInInitializer|TargetInvocation|Aggregate"
    r"|Wrapped|Wrapper|Nested\w*|Servlet|BeanCreation|TypeInitialization|Perform)(?:Exception|Error)\b"
    r"|Exception ?Group\b|^(?:java\.lang\.)?RuntimeException: [\w.$]+(?:Exception|Error)\b"
)
_QUALIFIED = frozenset({"Java/Kotlin", "Go", ".NET", "Unity", "Rust", "Elixir", "Swift"})

_URL_HOST = re.compile(r"^(?:blob:)?[a-z][a-z0-9+.-]*:/{0,3}[^/]*/")
_BUNDLER = re.compile(
    r"^(?:webpack|webpack-internal|turbopack|ng|rsc|vite|rollup)://?/*(?:\[project\]/|_N_E/|\([\w-]+\)/|\./|~/)*"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_UP = re.compile(r"^(?:\.{1,2}/)+")
_QUERY = re.compile(r"[?#].*$")
_CHUNK = r"(?:\.(?:chunk|min|bundle|esm|module|prod|client|server))*\.[cm]?jsx?$"
_NAME_HASH = re.compile(rf"[.\-_~](?=[A-Za-z]*[0-9])[0-9A-Za-z_]{{6,64}}(?={_CHUNK})")
_LETTER_HASH = re.compile(r"[.\-](?=[A-Za-z_]*[A-Z])(?=[A-Za-z_]*[a-z])[A-Za-z_]{8}(?=\.[cm]?js$)")  # Vite, esbuild
_FOLDER_ID = re.compile(
    r"(?=[A-Za-z_-]*\d)[0-9A-Za-z_~=-]{8,64}$|\d[\d._-]*$|v?\d+(?:\.\d+)+(?:[-+][\w.]+)?$|[0-9a-f]{7,64}$"
)
_DRIVE = re.compile(r"^[A-Za-z]:[\\/]|^\\\\")

_ADDRESS = re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE)
_OFFSET = re.compile(r" ?\+ ?(?:0x[0-9a-f]+|\d+)$", re.IGNORECASE)
_RUST_HASH = re.compile(r"::h[0-9a-f]{16}\b|\[[0-9a-f]{8,16}\]")
_CLOSURE = re.compile(r"\{\{?closure(?:#\d+|_env#\d+|@[^}]*)?\}?\}(?:<[^>]*>)?")
_GO_CLOSURE = re.compile(r"\.func\d+(?:\.\d+)*|\.gowrap\d+|·\d+")
_GO_ARGUMENTS = re.compile(r"\((?!\*)[^()]*\)$")
_GENERATED = re.compile(
    r"\$\$(?:Lambda|SpringCGLIB|EnhancerBy\w+|FastClassBy\w+|ByteBuddy)\w*(?:\$\$?[0-9a-fx]+)*(?:/0?x?[0-9a-f]+)?"
    r"|\$Proxy\d+|\$MockitoMock\$\d+"
)
_LAMBDA = re.compile(
    r"(lambda\$[^$]+)\$\d+|(\$[A-Za-z]*)\d+\b|(?<=>)[bgd]__(\w+?)[0-9_|]+\b|\b(d__|b__|g__\w+\|)[0-9_]+"
)
_JS_WORDS = re.compile(
    r"^(?:async |new |Object\.|Module\.|exports\.|get |set |static |HTML\w+Element\.)+| \[as [^\]]+\]$"
)
_SPACE = re.compile(r"\s+")


def place_of(stack: Stack) -> str:
    """The place (PLACE-1) as `file function`, `""` where a stack has no calls."""
    frame = deciding_frame(stack)
    return describe(frame, stack.language) if frame else ""


def deciding_frame(stack: Stack) -> Frame | None:
    """The call that decides (PLACE-1)."""
    section = _deciding_section(stack.sections)
    for candidates in (section.frames if section else (), *(s.frames for s in stack.sections)):
        own = next((frame for frame in candidates if frame.in_app), None)
        if own:
            return own
    return next((frame for s in stack.sections for frame in s.frames), None)


def describe(frame: Frame, language: str) -> str:
    """A call without what varies from build to build (PLACE-2)."""
    function = _function(frame.function)
    file = _file(frame.file)
    if language in _QUALIFIED and function and not _is_nameless(function):
        return function
    return f"{file} {function}".strip()


def _deciding_section(sections: tuple[Section, ...]) -> Section | None:
    """The first exception, or the innermost of those that it wraps."""
    if not sections:
        return None
    deciding = sections[0]
    for section in sections[1:]:
        if section.relation not in (CAUSED_BY, MEMBER) or not _wraps(deciding):
            break
        if section.has_app_frames or not deciding.has_app_frames:
            deciding = section
    return deciding


def _wraps(section: Section) -> bool:
    return _WRAPPER.search(section.heading) is not None or not section.has_app_frames


def _is_nameless(function: str) -> bool:
    return function in ("", "?", "??", "<unknown>", "<anonymous>", "anonymous", "<module>", "<main>", "{main}")


def _function(name: str) -> str:
    name = _OFFSET.sub("", _ADDRESS.sub("", name)).strip()
    name = _CLOSURE.sub("{closure}", _RUST_HASH.sub("", name))
    name = _GO_CLOSURE.sub(".func", _GENERATED.sub("$$", name))
    name = _LAMBDA.sub(lambda found: next(part for part in (*found.groups(), "") if part is not None), name)
    name = _GO_ARGUMENTS.sub("", _JS_WORDS.sub("", name))
    return _SPACE.sub(" ", name).strip()


def _file(path: str) -> str:
    """A path without host, query, folders of builds and content hashes, from the folder the application is in."""
    path = _QUERY.sub("", path).replace("\\", "/")
    if not _DRIVE.match(path):
        path = _BUNDLER.sub("", path) if _BUNDLER.match(path) else _URL_HOST.sub("", path)
    path = _UUID.sub("<id>", _UP.sub("", path).lstrip("/"))
    *folders, name = path.split("/")
    name = _LETTER_HASH.sub("", _NAME_HASH.sub("", name))
    return "/".join(["<id>" if _FOLDER_ID.match(folder) else folder for folder in folders] + [name])
