"""The languages of the set-up page: for each a program that reports one error, how to run it, and where to call it.

The programs are files in templates/onboarding/snippets; a test runs each one whose runtime is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from bloop.site.assets import TEMPLATES

NO_KEY = "YOUR_PROJECT_KEY"


@dataclass(frozen=True, slots=True)
class SnippetLanguage:
    """`file` is what the program is saved as, empty for one that is pasted into a terminal. Texts of steps that a
    language does not need are empty."""

    label: str
    save: str  # the title of the first step
    file: str
    run: str  # a command, or a sentence where there is none
    is_command: bool
    call_file: str
    call: str


_PYTHON_CALL = """\
from report import report

try:
    handle(request)
except Exception as error:
    report(error, route_or_procedure=request.path)
    raise"""
_NODE_CALL = """\
const { report } = require("./report.cjs");

process.on("uncaughtException", async (error) => {
  await report(error);
  process.exit(1);
});"""
_RUBY_CALL = """\
require_relative "report"

begin
  handle(request)
rescue StandardError => error
  report(error, route_or_procedure: request.path)
  raise
end"""
_KOTLIN_CALL = """\
import kotlin.concurrent.thread

val previous = Thread.getDefaultUncaughtExceptionHandler()
Thread.setDefaultUncaughtExceptionHandler { where, error ->
    thread { runCatching { report(error) } }.join(3000)
    previous?.uncaughtException(where, error)
}"""
_SWIFT_CALL = """\
do {
    try loadCart()
} catch {
    Task { try? await report(String(describing: type(of: error)), error.localizedDescription) }
}"""
_SAVE = "Save this file"
LANGUAGES = {
    "browser": SnippetLanguage(
        "Browser", "Add this to your page", "bloop.js", "Open the page. It reports one error, then every uncaught one.",
        False, "", "",
    ),
    "node": SnippetLanguage("Node.js", _SAVE, "report.cjs", "node report.cjs", True, "app.js", _NODE_CALL),
    "python": SnippetLanguage("Python", _SAVE, "report.py", "python3 report.py", True, "app.py", _PYTHON_CALL),
    "ruby": SnippetLanguage("Ruby", _SAVE, "report.rb", "ruby report.rb", True, "app.rb", _RUBY_CALL),
    "kotlin": SnippetLanguage(
        "Kotlin", _SAVE, "Report.kt", "Call main() from a background thread.", False, "App.kt", _KOTLIN_CALL
    ),
    "swift": SnippetLanguage("Swift", _SAVE, "main.swift", "swift main.swift", True, "App.swift", _SWIFT_CALL),
    "curl": SnippetLanguage("curl", "Paste this into a terminal", "", "", False, "", ""),
}  # fmt: skip
DEFAULT_LANGUAGE = "python"


def known_language(name: str) -> str:
    """`name` if it is one of LANGUAGES, else `""`."""
    return name if name in LANGUAGES else ""


def snippet(name: str, url: str, key: str) -> str:
    """The program with URL and key filled in; neither needs quoting in any of the languages."""
    return _source(name).replace("__URL__", url).replace("__KEY__", key)


@cache
def _source(name: str) -> str:
    return (TEMPLATES / "onboarding" / "snippets" / f"{name}.txt").read_text(encoding="utf-8")
