"""What has to fit together: checks over several keys, and those of one key that a type and a range do not say.

Each refuses with the key to change and what would be accepted. No error shows a secret.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from bloop.base.config.sections import Alerting, Auth, Smtp
from bloop.base.config.settings import Settings
from bloop.base.errors import ConfigError
from bloop.base.tuning import records_min

SECRET_LENGTH_MIN = 32
PLACEHOLDER_SECRETS = ("change-me-in-production", "your-secret-here", "your-hmac-secret")
UNIX_PATH_BYTES_MAX = 107  # sun_path less its terminator
HOST_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", re.IGNORECASE)
LISTEN_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
SENDER = re.compile(r"[^<>@\x00-\x1f]*<{0}>|{0}".format("[!-;=?A-~]+@[!-;=?A-~]+"))  # with and without a name
RING_NAME = re.compile(r"/[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")  # a file name below /dev/shm, with room for suffixes


def check_across(settings: Settings) -> None:
    """Refuse the first thing that does not fit; the secret has a check of its own, for not everybody needs one."""
    _check_choice("server.log_format", settings.server.log_format, ("text", "json"))
    _check_choice("server.log_level", settings.server.log_level, ("debug", "info", "warning", "error"))
    policies = ("none", "metadata_only", "full")
    _check_choice("llm_tracing.default_content_storage", settings.llm_tracing.default_content_storage, policies)
    _check_host(settings.server.host)
    _check_origin(settings.auth)
    _check_largest_event(settings)
    for network in settings.server.trusted_proxies:
        if not _is_network(network):
            raise ConfigError("server.trusted_proxies", f"{network!r} is not an address or network")
    _check_alerting(settings.alerting, settings.smtp)
    _check_paths(settings)
    if not RING_NAME.fullmatch(settings.ring_name):
        raise ConfigError("ring.name", "must be a single name of letters, digits, dots, dashes and underscores")


def check_secret(secret: str) -> None:
    how = "make one with: openssl rand -hex 32"
    if not secret:
        raise ConfigError("auth.hmac_secret", f"is not set; {how}")
    if secret != secret.strip():
        raise ConfigError("auth.hmac_secret", "starts or ends with white space, which no HTTP header carries")
    if secret.lower() in PLACEHOLDER_SECRETS:
        raise ConfigError("auth.hmac_secret", f"is a placeholder from the documentation; {how}")
    if len(secret) < SECRET_LENGTH_MIN:
        raise ConfigError(
            "auth.hmac_secret", f"has {len(secret)} characters, at least {SECRET_LENGTH_MIN} are needed; {how}"
        )


def _check_largest_event(settings: Settings) -> None:
    """A record may take a quarter of a lane (ring/layout.py), and every event that the limits allow must fit."""
    lanes = settings.lane_count
    needed = records_min(lanes, settings.event_bytes_max)
    if settings.is_set("ingest.channel_capacity") and settings.ingest.channel_capacity < needed:
        why = f"for {lanes} lanes, and stacks and metadata this large"
        raise ConfigError("ingest.channel_capacity", f"must be at least {needed} {why}")


def _check_host(host: str) -> None:
    """An empty one listens everywhere, as `0.0.0.0` does."""
    if host and not _is_address(host) and not LISTEN_NAME.fullmatch(host):
        raise ConfigError("server.host", f"{host!r} is not an address or host name")


def _check_origin(auth: Auth) -> None:
    """WebAuthn fails without a word in the browser when these two do not fit each other, so say it here."""
    try:
        origin = urlsplit(auth.rp_origin)
        host, _ = origin.hostname, origin.port
    except ValueError:
        host = None
    if not host or origin.scheme not in ("http", "https") or origin.path not in ("", "/"):
        raise ConfigError("auth.rp_origin", "must be a URL such as https://errors.example.com, without a path")
    if origin.query or origin.fragment or "@" in origin.netloc:
        raise ConfigError("auth.rp_origin", "must be a scheme, a host and perhaps a port, nothing more")
    if not auth.rp_id or "/" in auth.rp_id or ":" in auth.rp_id:
        raise ConfigError("auth.rp_id", "must be a host name such as errors.example.com, without scheme or port")
    if host != auth.rp_id.lower() and not host.endswith(f".{auth.rp_id.lower()}"):
        raise ConfigError("auth.rp_id", f"must be the host of auth.rp_origin, {host!r}, or a domain above it")


def _check_alerting(alerting: Alerting, smtp: Smtp) -> None:
    if smtp.enabled and not SENDER.fullmatch(smtp.from_):
        raise ConfigError("smtp.from", "must be an address such as bloop@example.com, or a name and <an address>")
    for host in alerting.allowed_hosts:
        if not HOST_NAME.fullmatch(host) and not _is_network(host):
            raise ConfigError("alerting.allowed_hosts", f"{host!r} is not a host name, address or network")
    for key in ("slack_webhook_url", "webhook_url"):
        url = getattr(alerting, key)
        if url and not re.match(r"https?://[^/\s@]+(/\S*)?$", url):  # never shown: it is a secret
            raise ConfigError(f"alerting.{key}", "must be a URL such as https://hooks.example.com/abc")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _check_paths(settings: Settings) -> None:
    if not settings.database.path:
        raise ConfigError("database.path", "must name a file")
    paths = {
        "database.path": lambda: settings.database_path,
        "server.run_dir": lambda: settings.run_dir,
        "backup.directory": lambda: settings.backup_dir,
        "ingest.spill_dir": lambda: settings.spill_folder,
    }
    for key, path_of in paths.items():
        _check_path(key, path_of)
    if settings.database_path.is_dir():
        raise ConfigError("database.path", f"{settings.database_path} is a folder; name a file in it")
    socket_path = settings.dashboard_path
    if len(os.fsencode(socket_path)) > UNIX_PATH_BYTES_MAX:
        raise ConfigError("server.run_dir", f"{settings.run_dir} is too long for Unix sockets; name a shorter folder")


def _check_path(key: str, path_of: Callable[[], Path]) -> None:
    """Refuse what no path can be: an unknown ~user, a loop of links, a NUL byte, a name that is too long."""
    try:
        path = path_of()
        with contextlib.suppress(FileNotFoundError, PermissionError, NotADirectoryError):
            path.stat()
    except OSError as error:
        raise ConfigError(key, f"cannot be used: {error.strerror}") from error
    except (RuntimeError, ValueError) as error:
        raise ConfigError(key, f"cannot be used: {error}") from error


def _check_choice(label: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(label, f"must be one of {', '.join(choices)}, not {value!r}")
