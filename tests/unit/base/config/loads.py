"""Loading settings from the text of a file and from variables, and what is said where they will not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bloop.base import config
from bloop.base.errors import ConfigError

SECRET = "0123456789abcdef0123456789abcdef"


def load(toml: str | None = None, **environ: str) -> config.Settings:
    """Settings from the text of a file and `auth__hmac_secret="…"`-like variables, with a good secret unless given."""
    path = None
    if toml is not None:
        path = Path("given.toml")
        path.write_text(toml, encoding="utf-8")
    variables = {f"BLOOP__{name}": value for name, value in environ.items()}
    if not any("hmac_secret" in name.lower() for name in variables) and "hmac_secret" not in (toml or ""):
        variables["BLOOP__AUTH__HMAC_SECRET"] = SECRET
    return config.load(path, variables)


def refusal(toml: str | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(toml, **environ)
    return str(caught.value)
