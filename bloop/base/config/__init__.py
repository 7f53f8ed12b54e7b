"""Settings: read once at process entry, checked, frozen, handed down in parts. Nothing else reads the environment.

Order, later wins: defaults, the settings file (`--config PATH`, else the one that `BLOOP_CONFIG` names, else
`config.toml` where it stands), `BLOOP__SECTION__KEY` variables (any case), and `BLOOP__SECTION__KEY_FILE` for a value
that lives in a file (systemd credentials, container secrets). Two settings also have a short name.

    sections.py   which settings there are, their defaults and ranges
    settings.py   all of them together, and what follows from them: paths, names, sizes
    sources.py    what file and environment say
    values.py     what that means, by the types and ranges of the keys
    checks.py     what has to fit together
    loading.py    the way through them

Unknown sections and keys are errors: a typing mistake must not silently mean the default. No error shows a secret.
"""

from bloop.base.config.checks import check_secret
from bloop.base.config.loading import load, told_by_systemd
from bloop.base.config.sections import (
    NO_LIMITS,
    Alerting,
    Analytics,
    Auth,
    Backup,
    Database,
    Ingest,
    LlmTracing,
    Pipeline,
    ProjectLimits,
    RateLimit,
    Retention,
    Ring,
    Server,
    Smtp,
)
from bloop.base.config.settings import EVENT_REST_BYTES_MAX, NO_FILE, Settings, describe

__all__ = [
    "EVENT_REST_BYTES_MAX",
    "NO_FILE",
    "NO_LIMITS",
    "Alerting",
    "Analytics",
    "Auth",
    "Backup",
    "Database",
    "Ingest",
    "LlmTracing",
    "Pipeline",
    "ProjectLimits",
    "RateLimit",
    "Retention",
    "Ring",
    "Server",
    "Settings",
    "Smtp",
    "check_secret",
    "describe",
    "load",
    "told_by_systemd",
]
