"""From what people wrote to `Settings`, at the entry of a process. Nothing else in this room reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bloop.base import systemd
from bloop.base.config.checks import check_across, check_secret
from bloop.base.config.settings import SECTIONS, Settings
from bloop.base.config.sources import FILE_VARIABLE, overlay_environment, read_file
from bloop.base.config.values import build_section
from bloop.base.machine import measure


def load(
    path: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    secret_required: bool = True,
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    is_all_of_bloop: bool = False,
) -> Settings:
    """Read, merge and check everything.

    `secret_required=False` is for operator commands that sign nothing: they work where the secret is out of reach.
    `defaults` (section → key → value) stand in for the built-in ones where neither file nor environment says anything.
    `is_all_of_bloop` says that this process starts every other one: the limits it has are those of all (machine.py).

    Raises:
        ConfigError: the first problem found, naming the key (`auth.hmac_secret`) and what would be accepted.
    """
    environ = os.environ if environ is None else environ
    values, source = read_file(path, environ.get(FILE_VARIABLE, ""))
    for section, given in (defaults or {}).items():
        values[section] = {**given, **values.get(section, {})}
    overlay_environment(values, environ)
    settings = Settings(
        **{section: build_section(section, values.get(section, {})) for section in SECTIONS},
        source=source,
        given=frozenset(f"{section}.{key}" for section, keys in values.items() for key in keys),
        machine=measure(is_all_of_bloop=is_all_of_bloop),
    )
    if not settings.auth.rp_origin:
        auth = replace(settings.auth, rp_origin=f"http://localhost:{settings.server.port}")
        settings = replace(settings, auth=auth)
    if secret_required or settings.auth.hmac_secret:
        check_secret(settings.auth.hmac_secret)
    check_across(settings)
    return settings


def told_by_systemd() -> systemd.UnitEnvironment:
    """What a service manager told this process, once: it is gone from the environment afterwards."""
    return systemd.take(os.environ, pid=os.getpid(), stderr_fd=2)
