"""How the house hangs together: who may import whom, and what that keeps out of the processes.

A layered spine, because a pipe is a pipe; above it features, each whole; above them the commands and the processes.
docs/architecture.md, "Rooms", says what each room holds.
"""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.imports import Import, find_modules, imports_of, room_of

ROOT = Path(__file__).parents[2]

# Room of the spine → the rooms it may import besides itself. `features` is bloop/features.py, a list of names.
SPINE: dict[str, set[str]] = {
    "base": set(),
    "ring": {"base"},
    "http": {"base"},
    "outbound": {"base"},
    "db": {"base"},
    "auth": {"base"},
    "records": {"base"},
    "grouping": {"base", "records"},
    "ingest": {"base", "records", "grouping", "ring"},
    "pipeline": {"base", "db", "records"},
    "features": {"base", "db", "pipeline"},
    "site": {"base", "db", "auth", "ring"},
    "cli_kit": {"base", "db", "ring"},
}
FEATURES = {
    "accounts",
    "alerts",
    "artifacts",
    "backup",
    "health",
    "issues",
    "ledger",
    "live",
    "onboarding",
    "processes",
    "projects",
    "releases",
    "retention",
}
ABOVE = {"cli", "workers", "demo", "bench", "transfer"}  # these may import everything but each other's private parts

# A feature may read another one's rows, by its `read.py`, or decide with its values, by its `model.py`. Never write.
READS: dict[tuple[str, str], str] = {
    ("projects", "accounts"): "who made a project or a token",
    ("ledger", "projects"): "the accounts are by project",
    ("live", "projects"): "a stream is about the projects one sees",
    ("alerts", "accounts"): "who made a rule",
    ("alerts", "processes"): "a test of a rule says at once when the process that sends is not there",
    ("alerts", "projects"): "a rule is about a project",
    ("alerts", "releases"): "a rule can be narrowed to an environment",
    ("issues", "accounts"): "whom an issue is assigned to",
    ("issues", "alerts"): "the history of an issue says who was told",
    ("issues", "ledger"): "the numbers at the top of the list",
    ("issues", "projects"): "an issue is of a project",
    ("issues", "releases"): "in which release it is fixed, and whether it came back after that",
    ("backup", "issues"): "a restored backup is tried out by reading its issues",
    ("backup", "projects"): "and its projects",
    ("health", "alerts"): "/metrics counts deliveries",
    ("health", "backup"): "/metrics says when the last good backup was",
    ("health", "issues"): "which project is near a limit",
    ("health", "processes"): "whether background processes answer",
    ("onboarding", "accounts"): "how many people could be invited",
    ("onboarding", "alerts"): "whether a rule watches the project",
    ("onboarding", "issues"): "whether a first event has arrived",
    ("onboarding", "ledger"): "why a first request was refused",
    ("onboarding", "projects"): "of which project",
    ("retention", "processes"): "a purge on the command line waits for the process that does it",
    ("retention", "projects"): "projects have times of their own",
}
PACKAGES_WITH_NAMES = {"bloop", "bloop.alerts.channels", "bloop.base.config", "bloop.ring"}  # others hold a docstring

# What a process has imported when it begins to work. More modules are more memory in every worker, so the list grows
# only on purpose.
INGEST_WORKER_LOADS = {
    "auth": "principal scopes",
    "base": (
        "client_address clock config config.checks config.loading config.sections config.settings "
        "config.sources config.values credentials errors json_body log machine memory meters outcomes "
        "rate_limit redact security_headers systemd timestamps tuning"
    ),
    "db": "connection engine errors",
    "grouping": "normalize fingerprint_v1",
    "http": "limits refusal request",
    "ingest": (
        "admit app body compose credentials dialect dialects dialects.native dialects.native_event hmac_signature keys "
        "limits parsed refusal_notes registry trim"
    ),
    "pipeline": "day_bytes dictionaries",
    "projects": "model old_keys old_keys.read old_keys.store read store write_keys write_keys.read",
    "records": "dictionary event event_record record",
    "ring": (
        "consumer cursor lane_reader layout locks mapping backoff producer segment spill spill_reader spill_writer"
    ),
    "site": "errors",
    "workers": "ingest own_errors own_report process serving",
}
WRITER_LOADS = {
    "auth": "principal scopes",
    "base": (
        "clock config config.checks config.loading config.sections config.settings config.sources "
        "config.values credentials errors json_body limits log machine memory meters outcomes pid_file redact systemd "
        "timestamps tuning"
    ),
    "db": "checkpoint connection engine errors migrate sizes tables word_search",
    "features": "",
    "grouping": "normalize fingerprint_v1",
    "ingest": "compose dialects dialects.native_event limits parsed",
    "issues": (
        "counts counts.fold counts.store events events.store fingerprints fingerprints.store kind limits "
        "limits.combinations limits.model limits.names limits.sketch limits.store limits.users status status.audit "
        "status.follow status.model status.mutes status.regression store"
    ),
    "ledger": "store",
    "pipeline": (
        "day_bytes dead_letters dictionaries kinds ledger_lines lost_rings ring_account ring_state signals store"
    ),
    "projects": "key_uses model old_keys old_keys.read old_keys.store read store",
    "records": "dictionary error_record event event_record record",
    "releases": "model read",
    "retention": "disk",
    "ring": (
        "consumer cursor lane_reader layout locks mapping backoff producer segment spill spill_reader spill_writer"
    ),
    "workers": "own_errors own_report process rings writer",
}


MODULES = find_modules(ROOT)
IMPORTS = sorted({pair for module, path in MODULES.items() for pair in imports_of(module, path, MODULES)})


def room(module: str) -> str:
    return "features" if module == "bloop.features" else room_of(MODULES[module].relative_to(ROOT))


def between_rooms() -> Iterator[tuple[Import, str, str]]:
    """Every import that leaves its room. `bloop` itself is a version, for everybody."""
    for pair in IMPORTS:
        importer, imported = room(pair.importer), room(pair.imported)
        if importer != imported and pair.imported != "bloop":
            yield pair, importer, imported


def test_every_room_has_its_place():
    assert {room(module) for module in MODULES} - {"bloop"} == {*SPINE, *FEATURES, *ABOVE}


def test_nothing_imports_upwards():
    upwards = {
        f"{pair.importer} -> {pair.imported}"
        for pair, importer, imported in between_rooms()
        if (importer in SPINE and imported not in SPINE[importer])
        or (importer in FEATURES and (imported in ABOVE or imported == "http"))
    }

    assert upwards == set()


def test_directions_form_no_circle():
    order = dict(SPINE) | {feature: {read for own, read in READS if own == feature} for feature in FEATURES}

    assert set(graphlib.TopologicalSorter(order).static_order()) == {*SPINE, *FEATURES}  # raises CycleError


def test_features_read_each_other_where_that_is_written_down():
    pairs = {(own, other) for _, own, other in between_rooms() if own in FEATURES and other in FEATURES}

    assert pairs - READS.keys() == set()
    assert READS.keys() - pairs == set(), "nobody reads there any more"


def test_a_feature_is_read_by_its_read_and_its_model_alone():
    others = {
        f"{pair.importer} -> {pair.imported}"
        for pair, importer, imported in between_rooms()
        if importer in FEATURES and imported in FEATURES
        if pair.imported.rpartition(".")[2] not in ("read", "model")
    }

    assert others == set()


def test_packages_hold_a_docstring_and_no_code():
    filled = {
        module
        for module, path in MODULES.items()
        if path.name == "__init__.py" and len(ast.parse(path.read_text(encoding="utf-8")).body) > 1
    }
    silent = {
        module
        for module, path in MODULES.items()
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    }

    assert filled == PACKAGES_WITH_NAMES
    assert silent == set()


def test_only_settings_read_the_environment():
    readers = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.environb", "os.getenv")
    }

    # The commands hand `os.environ` on: to the settings, and to the processes they start.
    assert readers <= {"bloop.base.config.loading", "bloop.cli_kit.context", "bloop.cli.system"}


def test_no_moment_of_the_monotonic_clock_starts_at_zero():
    """On a machine that just booted the clock is near zero: what never happened would have happened just now."""
    moment = re.compile(r"(^|_)(at|since|began|until)(_s)?$")
    zeros = {
        f"{module}:{node.lineno}"
        for module, path in MODULES.items()
        if "monotonic" in (text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if node.value.value == 0 and moment.search(ast.unparse(target))
    }

    assert zeros == set()


def test_no_public_class_has_the_name_of_another():
    named = Counter(
        node.name
        for path in MODULES.values()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    twice = {name for name, count in named.items() if count > 1}

    assert twice == set()


# The writer makes the stores of all kinds at its start.
KINDS_TOO = (
    "import workers.writer; from bloop import features; from pkgutil import resolve_name; "
    "[resolve_name(kind) for feature in features.FEATURES for kind in feature.kinds]"
)


@pytest.mark.parametrize(
    ("worker", "loads"),
    [
        ("import workers.ingest", INGEST_WORKER_LOADS),
        (KINDS_TOO, WRITER_LOADS),
    ],
    ids=["ingest", "writer"],
)
def test_a_worker_loads_what_it_needs_and_nothing_else(worker: str, loads: dict[str, str]):
    code = f"import sys; {worker}; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )
    found: dict[str, set[str]] = defaultdict(set)
    for module in ended.stdout.split():
        package, *parts = module.split(".")
        if package == "workers" and parts:
            found["workers"].add(".".join(parts))
        elif package == "bloop" and parts:
            found[parts[0]].update([".".join(parts[1:])] if parts[1:] else [])

    assert dict(found) == {name: set(names.split()) for name, names in loads.items()}
