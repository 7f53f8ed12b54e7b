"""The set-up page: the same small client in seven languages, ready to run. Pure.

The programs are files in templates/onboarding/snippets; a test runs each one whose runtime is installed.
"""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

from bloop.onboarding.contexts import SetupPage, Snippet
from bloop.projects.read import ProjectRow
from bloop.site.assets import TEMPLATES
from bloop.site.contexts import Shell

LANGUAGES = {
    "curl": "curl",
    "python": "Python",
    "node": "Node.js",
    "browser": "Browser",
    "ruby": "Ruby",
    "swift": "Swift",
    "kotlin": "Kotlin",
}
NO_KEY = "YOUR_PROJECT_KEY"
DEFAULT = "default"
INGEST_PATH = "/v1/ingest"
TEST_PROBLEMS = {
    "full": "The buffer is full: the test error was dropped, as any event would be right now.",
    "refused": "The test error was rejected. See the ledger page, under recent rejections, for the reason.",
    "unavailable": "bloop cannot receive events right now.",
}

_HELP = "The key was shown once, when it was created, and cannot be shown again. If you lost it, create a new one."
_HELP_DEFAULT = "This project's key is auth.hmac_secret. Run “bloop welcome” on the server to print it."


def setup_page(
    shell: Shell,
    project: ProjectRow,
    *,
    key: str,
    key_made_at_ms: int,
    may_manage: bool,
    origin: str,
    arrived_href: str,
    problem: str,
) -> SetupPage:
    """`key` is empty unless this request created it; `arrived_href` until an event has arrived."""
    base, url = f"/projects/{quote(project.slug)}", origin.rstrip("/") + INGEST_PATH
    uses_secret = project.slug == DEFAULT and project.key_made_at_ms is None
    return SetupPage(
        shell=shell,
        project_name=project.name,
        key=key,
        key_help=_HELP_DEFAULT if uses_secret else _HELP,
        rotate_href=f"/settings/projects/{quote(project.slug)}/rotate" if may_manage else "",
        key_made_at_ms=key_made_at_ms,
        ingest_url=url,
        snippets=tuple(
            Snippet(f"snippet-{name}", label, snippet(name, url, key or NO_KEY), name == "curl")
            for name, label in LANGUAGES.items()
        ),
        arrived_href=arrived_href,
        status_href=f"{base}/setup/status",
        test_href=f"{base}/test-event",
        test_problem=TEST_PROBLEMS.get(problem, ""),
        refreshes=not key and not arrived_href,
    )


def snippet(name: str, url: str, key: str) -> str:
    """The program with URL and key filled in; neither needs quoting in any of the languages."""
    return _source(name).replace("__URL__", url).replace("__KEY__", key)


@cache
def _source(name: str) -> str:
    return (TEMPLATES / "onboarding" / "snippets" / f"{name}.txt").read_text(encoding="utf-8")
