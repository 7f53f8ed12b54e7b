"""The checks of `bloop doctor` on this machine. A check is a function of the settings that yields findings.

A finding names the subject, its state and, unless it is ok, a remedy. No finding shows a secret.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import psutil

from bloop.base.config import Settings
from bloop.base.errors import BloopError
from bloop.cli.processes import find_processes
from bloop.db import connection, migrate
from bloop.db import errors as db_errors
from bloop.db.checkpoint import log_path
from bloop.db.copies import check_quickly
from bloop.db.engine import Db

MIB = 1024 * 1024
SHM = "/dev/shm"  # noqa: S108
SECRET_CHARACTERS_MIN = 10  # distinct ones; 32 hex digits almost always have that many
WAL_BYTES_MANY = 512 * MIB
SQLITE_MIN = (3, 43)  # contentless_delete, which the search index uses
QUICK_CHECK_MS = 10_000
DESCRIPTORS_SPARE = 256
YEAR_S = 365 * 86_400
BUILT_AFTER_S = 56 * YEAR_S  # a correct clock shows no time before 2026
CLOCK_SLACK_S = 300
REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "glusterfs", "fuse.glusterfs"})


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"  # works now, will cause trouble later
    WRONG = "wrong"


class Finding(NamedTuple):
    subject: str
    verdict: Verdict
    says: str
    remedy: str = ""


def ok(subject: str, says: str) -> Finding:
    return Finding(subject, Verdict.OK, says)


def warning(subject: str, says: str, remedy: str) -> Finding:
    return Finding(subject, Verdict.WARNING, says, remedy)


def wrong(subject: str, says: str, remedy: str) -> Finding:
    return Finding(subject, Verdict.WRONG, says, remedy)


Check = Callable[[Settings], Iterator[Finding]]


def secret(settings: Settings) -> Iterator[Finding]:
    value = settings.auth.hmac_secret
    if not value:
        yield wrong("secret", "auth.hmac_secret is not set", "`bloop up --data DIR` creates one, or set it yourself")
    elif len(set(value)) < SECRET_CHARACTERS_MIN:
        yield warning("secret", "has few distinct characters", "make one with `openssl rand -hex 32`; SDKs need it too")
    else:
        yield ok("secret", f"{len(value)} characters")


def files(settings: Settings) -> Iterator[Finding]:
    """Other users must not be able to read keys and errors, and this user must be able to write."""
    path = settings.database_path
    if not path.exists():
        yield warning("database", f"{path} does not exist yet", "`bloop up` creates it; else check --config and --data")
        return
    for file in (path, path.parent / "secret", Path(settings.source)):
        with contextlib.suppress(OSError):
            mode = os.stat(file).st_mode
            if stat.S_ISREG(mode) and mode & stat.S_IROTH:
                yield warning("files", f"every user can read {file}", f"chmod o-rwx {file}")
    if not os.access(path.parent, os.W_OK | os.X_OK) or not os.access(path, os.W_OK):
        yield wrong("files", f"this user cannot write {path} and its folder", "run as the user that bloop runs as")


def filesystem(settings: Settings) -> Iterator[Finding]:
    kind = _filesystem_of(settings.database_path.parent)
    if kind in REMOTE:
        advice = "move it to a local disk: SQLite's log needs shared memory, and locks over a network are not reliable"
        yield wrong("file system", f"the database is on {kind}", advice)
    elif kind == "overlay":
        yield warning(
            "file system", "the database is in the container's image", "put it on a volume: the image is not kept"
        )
    else:
        yield ok("file system", kind or "unknown")


def disk(settings: Settings) -> Iterator[Finding]:
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(settings.database_path.parent).free
        size = _size(settings.database_path)
        if free < settings.database.disk_free_bytes_min:
            yield wrong("disk", f"{free // MIB} MiB free: nothing is stored", "free space; storing then continues")
        elif free < size + settings.database.disk_free_bytes_min:
            advice = "a backup needs that much: shorten the retention, or set backup.directory to another disk"
            yield warning("disk", f"{free // MIB} MiB free, less than the database's {size // MIB} MiB", advice)
        else:
            yield ok("disk", f"{free // MIB} MiB free")


def shared_memory(settings: Settings) -> Iterator[Finding]:
    needed = settings.lane_count * settings.lane_bytes
    if os.path.exists(f"{SHM}{settings.ring_name}"):
        yield ok("shared memory", "the ring exists")
        return
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(SHM).free
        if free < needed:
            advice = "give the container more (--shm-size 128m), or lower ingest.channel_capacity"
            yield wrong("shared memory", f"{free // MIB} MiB free in {SHM}, the ring needs {needed // MIB}", advice)
        else:
            yield ok("shared memory", f"{free // MIB} MiB free in {SHM}")


def clock_is_right(settings: Settings) -> Iterator[Finding]:
    now_s = time.time()
    newest_s = 0.0
    with contextlib.suppress(OSError):
        newest_s = os.stat(settings.database_path).st_mtime
    if now_s < BUILT_AFTER_S:
        yield wrong("clock", "shows a time before this bloop was built", "set it, with chrony or systemd-timesyncd")
    elif newest_s > now_s + CLOCK_SLACK_S:
        advice = "check that the time is synchronised: retention and rates depend on it"
        yield warning("clock", f"is {newest_s - now_s:.0f} s behind the database file's last change", advice)
    else:
        yield ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s)))


def port(settings: Settings) -> Iterator[Finding]:
    number = settings.server.port
    members = {member.pid: member.name for member in find_processes(settings)}
    is_open, owners = listening(number)
    if owners & members.keys():
        yield ok("port", f"{number} is bloop's")
    elif is_open and not owners and members:  # systemd holds it and passed it to ingest
        yield ok("port", f"{number} is open")
    elif owners:
        names = ", ".join(sorted(_process_name(pid) for pid in owners))
        yield wrong("port", f"{number} is used by {names}", "stop that process, or choose another server.port")
    elif members:
        yield wrong("port", f"bloop runs but no process listens on {number}", "check the log of the ingest process")
    else:
        yield from _can_listen(settings)


def limits(settings: Settings) -> Iterator[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = settings.ingest.connections_max + DESCRIPTORS_SPARE
    if hard != resource.RLIM_INFINITY and hard < needed:
        advice = "raise the limit (LimitNOFILE= in the unit), or lower ingest.connections_max"
        yield warning("open files", f"{hard} at most: fewer connections than ingest.connections_max", advice)
    else:
        yield ok("open files", "unlimited" if hard == resource.RLIM_INFINITY else str(hard))


def database(settings: Settings) -> Iterator[Finding]:
    path = settings.database_path
    version = tuple(int(part) for part in connection.engine_version().split("."))
    if version < SQLITE_MIN:
        yield wrong("SQLite", connection.engine_version(), "install the apsw this bloop pins")
    if not path.exists():
        return
    wal_bytes = _size(log_path(path))
    if wal_bytes > WAL_BYTES_MANY:
        advice = "a program that keeps reading the database prevents its truncation: close that program"
        yield warning("WAL", f"{log_path(path).name} has {wal_bytes // MIB} MiB", advice)
    try:
        with contextlib.closing(connection.open_reader(path)) as db:
            yield from _schema(db)
            yield from _integrity(db)
    except (BloopError, db_errors.Error) as error:
        yield wrong("database", f"cannot be read: {error}", "restore the newest backup: `bloop restore`")


def sign_in(settings: Settings) -> Iterator[Finding]:
    """Passkeys need https or localhost. Loading the settings already checks that rp_id fits rp_origin."""
    origin = settings.auth.rp_origin
    if settings.https:
        if not settings.server.trusted_proxies:
            advice = "set it to the proxy's address, such as 127.0.0.1; otherwise all clients share one rate limit"
            yield warning("proxy", "auth.rp_origin is https and server.trusted_proxies is empty", advice)
        yield ok("sign-in", f"at {origin}")
    elif settings.auth.rp_id in ("localhost", "127.0.0.1") or settings.auth.rp_id.endswith(".localhost"):
        yield ok("sign-in", f"at {origin}, on this machine only")
    else:
        yield wrong(
            "sign-in", f"{origin} is not https", "browsers refuse passkeys there: put a proxy with TLS in front"
        )


LOCAL: tuple[Check, ...] = (
    secret, files, filesystem, disk, shared_memory, clock_is_right, port, limits, database, sign_in,
)  # fmt: skip


def _schema(db: Db) -> Iterator[Finding]:
    waiting = migrate.pending(db)
    if waiting:
        yield wrong("schema", f"{len(waiting)} migrations are missing", "run `bloop migrate`, or start bloop again")
    else:
        yield ok("schema", f"version {migrate.shipped()[-1].version}")


def _integrity(db: Db) -> Iterator[Finding]:
    try:
        with connection.time_limit(db, QUICK_CHECK_MS):
            problem = check_quickly(db)
    except BloopError:
        yield ok(
            "database", f"no damage found in {QUICK_CHECK_MS // 1000} s; a backup's restore drill checks all of it"
        )
        return
    if problem == "ok":
        yield ok("database", "no damage found")
    else:
        yield wrong("database", f"is damaged: {problem}", "stop bloop and restore the newest backup: `bloop restore`")


def _can_listen(settings: Settings) -> Iterator[Finding]:
    host = settings.server.host
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, settings.server.port))
        except OSError as error:
            says = f"cannot listen on {host} port {settings.server.port}: {error.strerror}"
            yield wrong("port", says, "change server.host or server.port")
        else:
            yield ok("port", f"{settings.server.port} is free; bloop is not running")


def listening(number: int) -> tuple[bool, set[int]]:
    """Whether a process accepts connections on this port, and the pids that this user may see."""
    sockets = []
    with contextlib.suppress(psutil.AccessDenied):
        sockets = psutil.net_connections("tcp")
    pids = {s.pid for s in sockets if s.status == psutil.CONN_LISTEN and s.laddr and s.laddr[1] == number}
    return bool(pids), {pid for pid in pids if pid}


def _process_name(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).name()} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"


def _filesystem_of(path: Path) -> str:
    """The type of the file system that holds `path`: that of the longest mount point among its parents."""
    parents = {str(path), *(str(parent) for parent in path.parents)}
    mounts = [part for part in psutil.disk_partitions(all=True) if part.mountpoint in parents]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else ""


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
