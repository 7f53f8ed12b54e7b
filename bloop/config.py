"""Settings: read once at process entry, checked, frozen, handed down in parts. Nothing else reads the environment.

Order, later wins: defaults, the settings file (`--config PATH`, else the one that `BLOOP_CONFIG` names, else
`config.toml` where it stands), `BLOOP__SECTION__KEY` variables (any case), and `BLOOP__SECTION__KEY_FILE` for a value
that lives in a file (systemd credentials, container secrets). Two settings also have a short name, `SHORT_VARIABLES`.
Values from the environment are read by the declared type of their key, so a secret made only of digits stays a string.
Unknown sections and keys are errors: a typing mistake must not silently mean the default. No error shows a secret.
"""

from __future__ import annotations

import ipaddress
import math
import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import xxhash

from bloop import systemd
from bloop.errors import ConfigError
from bloop.machine import Machine, measure
from bloop.tuning import EXTRA_LANES, Asked, Tuning, lane_kib_min, tuning

SECRET_LENGTH_MIN = 32
FILE_VARIABLE = "BLOOP_CONFIG"
NO_FILE = "defaults"  # Settings.source when there is no file
PLACEHOLDER_SECRETS = ("change-me-in-production", "your-secret-here", "your-hmac-secret")
EVENT_REST_BYTES_MAX = 8192  # of a record: all but message, stack and metadata, by the bounds of validate/limits.py
UNIX_PATH_BYTES_MAX = 107  # sun_path less its terminator
HOST_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?", re.IGNORECASE)
SENDER = re.compile(r"[^<>@\x00-\x1f]*<{0}>|{0}".format("[!-;=?A-~]+@[!-;=?A-~]+"))  # with and without a name
RING_NAME = re.compile(r"/[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")  # a file name below /dev/shm, with room for suffixes

# Short names for two settings that people have long set this way; the long name wins.
SHORT_VARIABLES = {
    f"BLOOP_{key}{suffix}": f"BLOOP__ALERTING__{key}{suffix}"
    for key in ("SLACK_WEBHOOK_URL", "WEBHOOK_URL")
    for suffix in ("", "_FILE")
}


def setting(
    default: Any, doc: str, *, low: float | None = None, high: float | None = None, secret: bool = False
) -> Any:
    """A field of a section: its default, what it means (unit first), and the inclusive range it must lie in."""
    return field(default=default, metadata={"doc": doc, "low": low, "high": high, "secret": secret})


@dataclass(frozen=True, slots=True)
class Server:
    host: str = setting("0.0.0.0", "address the one public port listens on; `::` for IPv6 and IPv4")  # noqa: S104
    port: int = setting(5332, "port that answers everything: ingest, API, pages", low=1, high=65535)
    workers: int = setting(
        0, "ingest worker processes; 0 = one per core, at most 4, one or two where memory is short", low=0, high=64
    )
    threads: int = setting(8, "threads of the dashboard process; 4 where memory is short", low=1, high=256)
    run_dir: str = setting("", "folder for Unix sockets; empty = `run` beside the database file")
    trusted_proxies: tuple[str, ...] = setting((), "addresses or networks whose X-Forwarded-For is believed")
    log_format: str = setting("text", "`text` for people and journald, `json` for collectors")
    log_level: str = setting("info", "`debug`, `info`, `warning` or `error`")
    own_errors: bool = setting(True, "record bloop's own unexpected errors, in a project made for them")


@dataclass(frozen=True, slots=True)
class Database:
    path: str = setting("bloop.db", "SQLite file; `-wal` and `-shm` live beside it, never on a network filesystem")
    pool_size: int = setting(4, "read connections of the dashboard process; 2 where memory is short", low=1, high=64)
    query_timeout_ms: int = setting(5000, "ms a single read may run before it is interrupted", low=50, high=600_000)
    disk_free_bytes_min: int = setting(
        64 * 1024 * 1024, "bytes free below which the writer stops storing and /ready says 503", low=0
    )


@dataclass(frozen=True, slots=True)
class Ingest:
    max_payload_bytes: int = setting(32768, "bytes of one event's body", low=1024, high=4 * 1024 * 1024)
    max_stack_bytes: int = setting(8192, "bytes of `stack`", low=256, high=1024 * 1024)
    max_metadata_bytes: int = setting(4096, "bytes of `metadata` as compact JSON", low=2, high=1024 * 1024)
    max_message_bytes: int = setting(2048, "bytes of `message`", low=16, high=1024 * 1024)
    max_batch_size: int = setting(
        50, "events in one batch; SDKs that buffer 100 are tolerated up to twice this", low=1, high=1000
    )
    channel_capacity: int = setting(
        8192,
        "records of 1 KiB each ring lane holds while the writer is busy; less where memory or /dev/shm is short",
        low=256,
        high=1_048_576,
    )
    spill_bytes_max: int = setting(
        2 * 1024**3, "bytes on disk for records that find the ring full; 0 = such are dropped", low=0, high=1 << 44
    )
    spill_dir: str = setting("", "folder for them, of this bloop alone; empty = beside the database file")
    connections_max: int = setting(10_000, "open connections per ingest worker", low=16, high=1_000_000)


@dataclass(frozen=True, slots=True)
class Pipeline:
    flush_interval_secs: float = setting(
        2, "seconds the writer may sleep without a look at the ring", low=0.05, high=60
    )
    gather_ms: int = setting(
        100, "ms between two commits of a steady stream, and the most a lone record waits", low=0, high=5000
    )
    flush_batch_size: int = setting(
        500, "waiting records that are committed without collecting more, after a quiet time", low=1, high=100_000
    )
    sample_reservoir_size: int = setting(5, "newest events per issue that retention never deletes", low=1, high=100)


@dataclass(frozen=True, slots=True)
class Retention:
    raw_events_days: int = setting(
        7, "days raw events are kept, until the storage page says otherwise", low=1, high=3650
    )
    hourly_counts_days: int = setting(
        90, "days counts per hour are kept, until the storage page says otherwise", low=1, high=3650
    )
    prune_interval_secs: int = setting(3600, "seconds between clean-ups", low=10, high=604_800)


@dataclass(frozen=True, slots=True)
class Backup:
    enabled: bool = setting(True, "make a backup every night")
    directory: str = setting("", "folder of the backups; empty = `backups` beside the database file")
    hour: int = setting(3, "hour of the day, UTC, from which the nightly backup is made", low=0, high=23)
    keep: int = setting(7, "nightly backups kept; as many asked for by hand are kept besides", low=1, high=365)
    drill: bool = setting(True, "restore every backup into a temporary folder and look at it")


@dataclass(frozen=True, slots=True)
class Auth:
    hmac_secret: str = setting("", "signing key of the default project, at least 32 characters", secret=True)
    rp_id: str = setting("localhost", "WebAuthn relying party: your domain, no scheme, no port")
    rp_origin: str = setting("", "URL people open in the browser; empty = `http://localhost:` and the port")
    session_ttl_secs: int = setting(604_800, "seconds a sign-in lasts", low=60, high=31_536_000)
    login_link_ttl_secs: int = setting(900, "seconds a one-time sign-in link stays good", low=30, high=86_400)


@dataclass(frozen=True, slots=True)
class RateLimit:
    per_second: float = setting(100, "ingest requests per second and client address; 0 = no limit", low=0)
    burst_size: int = setting(200, "ingest requests an address may send at once", low=1)
    auth_per_second: float = setting(5, "sign-in requests per second and address; 0 = no limit", low=0)
    auth_burst_size: int = setting(10, "sign-in requests an address may send at once", low=1)


@dataclass(frozen=True, slots=True)
class Alerting:
    cooldown_secs: int = setting(900, "seconds a rule stays quiet about one issue after firing", low=0, high=604_800)
    slack_webhook_url: str = setting("", "Slack webhook told where a rule has no channels; empty = none", secret=True)
    webhook_url: str = setting("", "webhook told where a rule has no channels; empty = none", secret=True)
    allow_private: bool = setting(False, "let alerts go to this machine and to private networks")
    allowed_hosts: tuple[str, ...] = setting(
        (), "host names (`*.` for all below), addresses or networks alerts may go to, private or not"
    )


@dataclass(frozen=True, slots=True)
class Smtp:
    enabled: bool = setting(False, "send email alerts")
    host: str = setting("smtp.example.com", "SMTP server")
    port: int = setting(587, "SMTP port", low=1, high=65535)
    username: str = setting("", "SMTP user; empty = no sign-in")
    password: str = setting("", "SMTP password", secret=True)
    from_: str = setting("bloop@example.com", "sender address; the key is `from`")
    starttls: bool = setting(True, "STARTTLS; false = TLS from the first byte")


@dataclass(frozen=True, slots=True)
class Analytics:
    enabled: bool = setting(True, "the Insights pages and /v1/analytics routes")
    cache_ttl_secs: int = setting(60, "seconds a result is reused", low=0, high=86_400)
    zscore_threshold: float = setting(2.5, "standard deviations that count as a spike", low=0.1, high=100)


@dataclass(frozen=True, slots=True)
class LlmTracing:
    enabled: bool = setting(True, "LLM trace routes; off = 404")
    channel_capacity: int = setting(4096, "traces that may wait", low=16, high=1_048_576)
    flush_interval_secs: float = setting(2, "seconds between flushes", low=0.05, high=60)
    flush_batch_size: int = setting(200, "traces that end the collecting early", low=1, high=100_000)
    max_spans_per_trace: int = setting(100, "spans in one trace", low=1, high=10_000)
    max_batch_size: int = setting(50, "traces in one batch", low=1, high=1000)
    default_content_storage: str = setting("none", "`none`, `metadata_only` or `full`")
    cache_ttl_secs: int = setting(30, "seconds a query result is reused", low=0, high=86_400)
    pricing_refresh_interval_secs: int = setting(3600, "seconds between price list reloads", low=0)
    pricing_url: str = setting("", "price list to load; empty = the list shipped with bloop, nothing is fetched")


@dataclass(frozen=True, slots=True)
class Ring:
    name: str = setting("", "shared-memory name; empty = derived from the database path, so two copies never meet")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every section of `config.toml`. Derived values are properties, so there is one place that knows how."""

    server: Server = field(default_factory=Server)
    database: Database = field(default_factory=Database)
    ingest: Ingest = field(default_factory=Ingest)
    pipeline: Pipeline = field(default_factory=Pipeline)
    retention: Retention = field(default_factory=Retention)
    backup: Backup = field(default_factory=Backup)
    auth: Auth = field(default_factory=Auth)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    alerting: Alerting = field(default_factory=Alerting)
    smtp: Smtp = field(default_factory=Smtp)
    analytics: Analytics = field(default_factory=Analytics)
    llm_tracing: LlmTracing = field(default_factory=LlmTracing)
    ring: Ring = field(default_factory=Ring)
    source: str = NO_FILE  # the file the settings came from
    given: frozenset[str] = frozenset()  # `section.key` of what file or environment say, be it the default
    machine: Machine = field(default_factory=measure)

    def is_set(self, key: str) -> bool:
        """Whether somebody chose the value of `section.key`."""
        section, _, name = key.partition(".")
        ours = getattr(self, section)
        return key in self.given or getattr(ours, name) != getattr(type(ours)(), name)

    @property
    def database_path(self) -> Path:
        return Path(self.database.path).expanduser().resolve()

    @property
    def ring_name(self) -> str:
        """Name of the shared segment; `/bloop-` and a hash of the database path unless configured."""
        if self.ring.name:
            return "/" + self.ring.name.lstrip("/")
        return f"/bloop-{xxhash.xxh3_64_hexdigest(os.fsencode(self.database_path))}"

    @property
    def run_dir(self) -> Path:
        return (
            Path(self.server.run_dir).expanduser().resolve()
            if self.server.run_dir
            else self.database_path.parent / "run"
        )

    @property
    def backup_dir(self) -> Path:
        if self.backup.directory:
            return Path(self.backup.directory).expanduser().resolve()
        return self.database_path.parent / "backups"

    @property
    def spill_folder(self) -> Path:
        """Where records wait that found the ring full; `-spill` beside the database file unless configured."""
        if self.ingest.spill_dir:
            return Path(self.ingest.spill_dir).expanduser().resolve()
        return self.database_path.with_name(self.database_path.name + "-spill")

    @property
    def handoff_path(self) -> Path:
        """Unix socket over which ingest workers pass connections that are not ingest to the dashboard."""
        return self.run_dir / "handoff.sock"

    @property
    def dashboard_path(self) -> Path:
        """Unix socket of the dashboard's own HTTP listener, for a reverse proxy that routes by path."""
        return self.run_dir / "dashboard.sock"

    @property
    def tuning(self) -> Tuning:
        """What is chosen for this machine where nothing is set."""

        def asked(section: str, key: str) -> int:
            return int(getattr(getattr(self, section), key)) if self.is_set(f"{section}.{key}") else 0

        lane_kib, threads = asked("ingest", "channel_capacity"), asked("server", "threads")
        readers = asked("database", "pool_size")
        return tuning(self.machine, Asked(self.server.workers, lane_kib, threads, readers, self.event_bytes_max))

    @property
    def event_bytes_max(self) -> int:
        """The largest record an event can become, by the limits in force."""
        ours = self.ingest
        return ours.max_message_bytes + ours.max_stack_bytes + ours.max_metadata_bytes + EVENT_REST_BYTES_MAX

    @property
    def ingest_workers(self) -> int:
        return self.tuning.ingest_workers

    @property
    def lane_bytes(self) -> int:
        return self.tuning.lane_kib * 1024

    @property
    def lane_count(self) -> int:
        """A lane per ingest worker and one for the dashboard, plus one for the moment old and new workers overlap."""
        return self.ingest_workers + EXTRA_LANES

    @property
    def https(self) -> bool:
        return self.auth.rp_origin.startswith("https://")


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
    `is_all_of_bloop` says that this process starts every other one: the limits it has are those of all (bloop.machine).

    Raises:
        ConfigError: the first problem found, naming the key (`auth.hmac_secret`) and what would be accepted.
    """
    environ = os.environ if environ is None else environ
    values, source = _read_file(path, environ.get(FILE_VARIABLE, ""))
    for section, given in (defaults or {}).items():
        values[section] = {**given, **values.get(section, {})}
    _overlay_environment(values, environ)
    settings = Settings(
        **{s.name: _build_section(s.name, values) for s in _sections()},
        source=source,
        given=frozenset(f"{section}.{key}" for section, keys in values.items() for key in keys),
        machine=measure(is_all_of_bloop=is_all_of_bloop),
    )
    if not settings.auth.rp_origin:
        auth = replace(settings.auth, rp_origin=f"http://localhost:{settings.server.port}")
        settings = replace(settings, auth=auth)
    if secret_required or settings.auth.hmac_secret:
        check_secret(settings.auth.hmac_secret)
    _check_across(settings)
    return settings


def told_by_systemd() -> systemd.Told:
    """What a service manager told this process, once: it is gone from the environment afterwards."""
    return systemd.take(os.environ, pid=os.getpid(), stderr_fd=2)


def describe(settings: Settings) -> list[tuple[str, Any, str]]:
    """Every setting as (`section.key`, value, doc), secrets hidden: for people, never for programs."""
    return [
        (f"{s.name}.{_wire_name(f.name)}", _shown(getattr(getattr(settings, s.name), f.name), f), f.metadata["doc"])
        for s in _sections()
        for f in fields(_section_type(s.name))
    ]


def _shown(value: Any, f: Any) -> Any:
    return value if not (f.metadata["secret"] and value) else f"({len(value)} characters, hidden)"


def _sections() -> list[Any]:
    return [f for f in fields(Settings) if is_dataclass(_section_type(f.name))]


def _section_type(name: str) -> Any:
    return typing.get_type_hints(Settings)[name]


def _read_file(path: str | os.PathLike[str] | None, in_environ: str) -> tuple[dict[str, dict[str, Any]], str]:
    file = Path(path or in_environ or "config.toml")
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if path is not None or in_environ:
            raise ConfigError(FILE_VARIABLE if path is None else "--config", f"{file} does not exist") from None
        return {}, NO_FILE
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(str(file), f"cannot be read: {error}") from error
    known = {s.name for s in _sections()}
    for name, section in raw.items():
        if name not in known:
            raise ConfigError(name, f"unknown section in {file}; known: {', '.join(sorted(known))}")
        if not isinstance(section, dict):
            raise ConfigError(name, "must be a [section]")
    return raw, str(file)


def _overlay_environment(values: dict[str, dict[str, Any]], environ: Mapping[str, str]) -> None:
    """Put `BLOOP__A__B` over `values[a][b]`; `BLOOP__A__B_FILE` reads the value from the file it names."""
    known = {s.name: {_wire_name(f.name): f for f in fields(_section_type(s.name))} for s in _sections()}
    for variable in sorted(environ, key=lambda name: (name.upper() not in SHORT_VARIABLES, name)):
        parts = SHORT_VARIABLES.get(variable.upper(), variable).lower().split("__")
        if parts[0] != "bloop" or len(parts) < 2:
            continue
        section, key = parts[1], "__".join(parts[2:])
        from_file = key.endswith("_file") and key.removesuffix("_file") in known.get(section, {})
        key = key.removesuffix("_file") if from_file else key
        if key not in known.get(section, {}):
            raise ConfigError(f"{section}.{key}", f"unknown setting (from the environment variable {variable})")
        text = _read_secret_file(f"{section}.{key}", environ[variable]) if from_file else environ[variable]
        values.setdefault(section, {})[key] = _FromText(text)


def _read_secret_file(label: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(label, f"cannot read {path}: {error}") from error


class _FromText(str):
    """A value that came as text and is to be read by the declared type of its key."""


def _build_section(name: str, values: Mapping[str, Mapping[str, Any]]) -> Any:
    kind = _section_type(name)
    given = dict(values.get(name, {}))
    hints = typing.get_type_hints(kind)
    kwargs = {}
    for f in fields(kind):
        wire = _wire_name(f.name)
        if wire in given:
            label, value = f"{name}.{wire}", given.pop(wire)
            if f.metadata["secret"] and not isinstance(value, str):
                raise ConfigError(label, "must be a string")
            kwargs[f.name] = _check(label, _convert(label, value, hints[f.name]), f)
    if given:
        known = ", ".join(_wire_name(f.name) for f in fields(kind))
        raise ConfigError(f"{name}.{min(given)}", f"unknown setting; known in [{name}]: {known}")
    return kind(**kwargs)


def _wire_name(attribute: str) -> str:
    return attribute.rstrip("_")  # `from` is a keyword


def _convert(label: str, value: Any, kind: Any) -> Any:
    if isinstance(value, _FromText):
        return _parse_text(label, str(value), kind)
    if kind is float and type(value) in (int, float):
        return float(value)
    if isinstance(kind, types.GenericAlias):
        if isinstance(value, list) and all(isinstance(v, str) for v in value):
            return tuple(value)
        raise ConfigError(label, "must be a list of strings")
    if type(value) is not kind:
        raise ConfigError(label, f"must be {_KIND_NAMES[kind]}, not {value!r}")
    return value


_KIND_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a string"}


def _parse_text(label: str, text: str, kind: Any) -> Any:
    if kind is str:
        return text
    if isinstance(kind, types.GenericAlias):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is bool:
        if text.strip().lower() in ("true", "1", "yes", "on"):
            return True
        if text.strip().lower() in ("false", "0", "no", "off"):
            return False
        raise ConfigError(label, f"must be true or false, not {text!r}")
    try:
        return kind(text.strip())
    except ValueError:
        raise ConfigError(label, f"must be {_KIND_NAMES[kind]}, not {text!r}") from None


def _check(label: str, value: Any, f: Any) -> Any:
    low, high = f.metadata["low"], f.metadata["high"]
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(label, f"must be a finite number, not {value}")
    if low is not None and value < low:
        raise ConfigError(label, f"must be at least {low}, not {value}")
    if high is not None and value > high:
        raise ConfigError(label, f"must be at most {high}, not {value}")
    return value


def _check_across(settings: Settings) -> None:
    _check_choice("server.log_format", settings.server.log_format, ("text", "json"))
    _check_choice("server.log_level", settings.server.log_level, ("debug", "info", "warning", "error"))
    policies = ("none", "metadata_only", "full")
    _check_choice("llm_tracing.default_content_storage", settings.llm_tracing.default_content_storage, policies)
    _check_origin(settings.auth)
    _check_largest_event(settings)
    for network in settings.server.trusted_proxies:
        if not _is_network(network):
            raise ConfigError("server.trusted_proxies", f"{network!r} is not an address or network")
    _check_alerting(settings.alerting, settings.smtp)
    _check_paths(settings)
    if not RING_NAME.fullmatch(settings.ring_name):
        raise ConfigError("ring.name", "must be a single name of letters, digits, dots, dashes and underscores")


def _check_largest_event(settings: Settings) -> None:
    """A record may take a quarter of a lane (ring/layout.py), and every event that the limits allow must fit."""
    needed = lane_kib_min(settings.event_bytes_max)
    if needed * 1024 > settings.lane_bytes:
        raise ConfigError("ingest.channel_capacity", f"must be at least {needed} for stacks and metadata this large")


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


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _check_paths(settings: Settings) -> None:
    if not settings.database.path:
        raise ConfigError("database.path", "must name a file")
    try:
        socket_path = settings.dashboard_path
        is_folder = settings.database_path.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # an unknown ~user, a loop of links, a NUL byte
        raise ConfigError("database.path", f"cannot be used: {error}") from error
    if is_folder:
        raise ConfigError("database.path", f"{settings.database_path} is a folder; name a file in it")
    if len(os.fsencode(socket_path)) > UNIX_PATH_BYTES_MAX:
        raise ConfigError("server.run_dir", f"{settings.run_dir} is too long for Unix sockets; name a shorter folder")


def _check_choice(label: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(label, f"must be one of {', '.join(choices)}, not {value!r}")


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
