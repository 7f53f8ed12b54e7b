"""Which settings there are: a dataclass per section of `config.toml`, a field per key.

A field says what its key means, what holds where nobody sets it, and the range it has to lie in; docs/configuration.md
is checked against them. What follows from several keys is in settings.py.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any


def setting(
    default: Any, doc: str, *, low: float | None = None, high: float | None = None, secret: bool = False
) -> Any:
    """A field of a section: its default, what it means (unit first), and the inclusive range it must lie in."""
    return field(default=default, metadata={"doc": doc, "low": low, "high": high, "secret": secret})


def keys_of(section: Any) -> dict[str, Field[Any]]:
    """The fields of a section by the names people write: `from` is a keyword, so its field is `from_`."""
    return {f.name.rstrip("_"): f for f in fields(section)}


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
    address_connections_max: int = setting(
        256,
        "open connections of one client address to the dashboard, and to an ingest worker if that is more than a "
        "quarter of `ingest.connections_max`; a trusted proxy has no limit; 0 = none",
        low=0,
        high=1_000_000,
    )
    log_format: str = setting("text", "`text` for people and journald, `json` for collectors")
    log_level: str = setting("info", "`debug`, `info`, `warning` or `error`")
    kit_page: bool = setting(False, "show `/kit`, every part of the pages in every state, to people who develop bloop")
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
        "records of 2 KiB the ring holds while the writer is busy, in all its lanes; less where /dev/shm is short",
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
    issues_days: int = setting(
        0, "days an unassigned issue is kept after it was last seen; 0 = forever", low=0, high=3650
    )
    prune_interval_secs: int = setting(3600, "seconds between clean-ups", low=10, high=604_800)


@dataclass(frozen=True, slots=True)
class Backup:
    enabled: bool = setting(True, "make a backup every night")
    directory: str = setting("", "folder of the backups; empty = `backups` beside the database file")
    hour: int = setting(3, "hour of the day, UTC, from which the nightly backup is made", low=0, high=23)
    keep: int = setting(7, "nightly backups kept; as many requested by hand are kept in addition", low=1, high=365)
    drill: bool = setting(True, "restore every backup into a temporary folder and check it")


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
    bytes_per_second: int = setting(
        16_777_216, "bytes of large or packed bodies inflated and parsed per second and address; 0 = no limit", low=0
    )
    burst_bytes: int = setting(67_108_864, "bytes of such bodies an address may send at once", low=1)
    auth_per_second: float = setting(5, "sign-in requests per second and address; 0 = no limit", low=0)
    auth_burst_size: int = setting(10, "sign-in requests an address may send at once", low=1)


@dataclass(frozen=True, slots=True)
class ProjectLimits:
    """What one project may make bloop keep: its key is public in every browser and phone. 0 = no limit."""

    new_issues_per_hour: int = setting(
        5000, "new issues of a project in an hour; events of further ones go to its issue `overflow`", low=0
    )
    issues: int = setting(200_000, "issues of a project; events of further ones go to its issue `overflow`", low=0)
    releases: int = setting(10_000, "releases of a project; further ones are counted as `(overflow)`", low=0)
    routes: int = setting(10_000, "routes of a project; further ones are counted as `(overflow)`", low=0)
    environments: int = setting(500, "environments of a project; further ones are counted as `(overflow)`", low=0)
    sources: int = setting(500, "sources of a project; further ones are counted as `(overflow)`", low=0)
    combinations: int = setting(
        1_000_000, "combinations of issue, release and environment that a project's events are counted by", low=0
    )
    users_per_issue: int = setting(10_000, "users of an issue that are counted exactly; more are estimated", low=0)
    bytes_per_day: int = setting(
        5_000_000_000, "bytes of records stored for a project in a day (UTC); ingest refuses more as `dropped`", low=0
    )


NO_LIMITS = ProjectLimits(**dict.fromkeys((f.name for f in fields(ProjectLimits)), 0))  # for measurements


@dataclass(frozen=True, slots=True)
class Alerting:
    cooldown_secs: int = setting(900, "seconds a rule stays quiet about one issue after firing", low=0, high=604_800)
    slack_webhook_url: str = setting("", "Slack webhook for rules without channels; empty = none", secret=True)
    webhook_url: str = setting("", "webhook for rules without channels; empty = none", secret=True)
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
