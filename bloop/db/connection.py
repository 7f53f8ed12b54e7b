"""How bloop opens SQLite. Four roles, one function each; every pragma says why it is there.

Connections are opened after fork, one set per process, and used by one thread at a time.

    writer   the one process that stores event data; owns checkpoints, fsyncs every commit
    control  short `immediate` transactions on control-plane rows (projects, tokens, status changes)
    cleaner  deletes old rows; a power cut may undo its last deletions, and it then repeats them
    reader   read-only, with a limit on how long one statement may run

CONNECTION-1  Another program's database is never changed, not even its journal mode: `application_id` says whose a file
    is (sqlite.org/pragma.html#pragma_application_id), and is looked at before anything else. Files from before bloop
    set it are known by their table of migrations.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from bloop.base.errors import DatabaseDamaged, QueryTimeout, StorageError
from bloop.db.engine import Db
from bloop.db.errors import DAMAGE_ERRORS

BUSY_TIMEOUT_MS = 5000
PROGRESS_OPS = 2000  # virtual machine steps between checks of the clock: about 50 µs
WRITER_CACHE_KIB = 8 * 1024
CLEANER_CACHE_KIB = 4 * 1024
CACHE_KIB = 2 * 1024  # of all other roles, several in a process; twice as much makes no page faster
WAL_PAGES_MAX = 4096  # pages before the writer asks for a passive checkpoint: 16 MiB of WAL

APPLICATION_ID = int.from_bytes(b"bloo", "big")
AUTO_VACUUM_INCREMENTAL = 2  # sqlite.org/pragma.html#pragma_auto_vacuum

_HAS_TABLES = "SELECT EXISTS (SELECT 1 FROM sqlite_schema)"
_MIGRATION_COLUMNS = "PRAGMA table_info(schema_migrations)"  # other programs have a table of that name, too
_OUR_MIGRATION_COLUMNS = {"version", "name", "sha256", "applied_at_ms"}

CREATE_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE


def open_writer(path: Path | str, *, cache_kib: int = WRITER_CACHE_KIB) -> Db:
    """The writer's connection. `synchronous=FULL`: a commit is on the disk before its ring positions are released.

    NORMAL could lose commits since the last checkpoint at a power cut (sqlite.org/pragma.html#pragma_synchronous);
    with batched commits the extra fsync is a handful a second.
    """
    db = _open(path, CREATE_FLAGS)
    _set_up_wal(db)
    db.pragma("synchronous", "FULL")
    db.pragma("cache_size", -cache_kib)
    db.pragma("wal_autocheckpoint", 0)  # the writer checkpoints between batches, never inside a commit
    db.pragma("journal_size_limit", 64 * 1024 * 1024)
    return db


def open_control(path: Path | str) -> Db:
    """A connection for control-plane changes: wrap each in `immediate`, keep it short, expect `BusyError`."""
    db = _open(path, CREATE_FLAGS)
    _set_up_wal(db)
    db.pragma("synchronous", "FULL")
    db.pragma("cache_size", -CACHE_KIB)
    db.pragma("wal_autocheckpoint", 0)
    return db


def open_cleaner(path: Path | str) -> Db:
    """A control connection whose commits do not wait for the disk, because waiting would hold the write lock.

    The writer's next commit, which waits, makes earlier ones durable too.
    """
    db = sqlite(open_control(path))
    db.pragma("synchronous", "NORMAL")
    db.pragma("cache_size", -CLEANER_CACHE_KIB)
    return db


def open_reader(path: Path | str) -> Db:
    """A read-only connection. Opened read-write at the file level, because a WAL reader must be able to make `-shm`;
    `query_only` is what keeps it from changing rows (sqlite.org/pragma.html#pragma_query_only)."""
    db = _open(path, apsw.SQLITE_OPEN_READWRITE)
    db.pragma("query_only", True)
    db.pragma("cache_size", -CACHE_KIB)
    db.pragma("wal_autocheckpoint", 0)
    return db


@contextmanager
def immediate(db: Db) -> Iterator[None]:
    """One write transaction: the lock is taken at the start, everything commits at the end or nothing does.

    Not `with db:`, which waits for the lock while holding the GIL (apsw 3.54, measured): a second thread of the same
    process could not finish the transaction that the first one waits for, and both would stand still until the
    busy timeout.

    Raises:
        BusyError: another process kept the lock for BUSY_TIMEOUT_MS.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        _roll_back(db)
        raise


@contextmanager
def snapshot(db: Db) -> Iterator[None]:
    """A read transaction: everything read inside is of one moment; nothing is written."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        _roll_back(db)


@contextmanager
def trial(db: Db) -> Iterator[None]:
    """A write transaction that is always rolled back. Raises: BusyError as `immediate`."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        _roll_back(db)


@contextmanager
def time_limit(db: Db, limit_ms: int) -> Iterator[None]:
    """Interrupt any statement on `db` that is still running `limit_ms` from now.

    Raises:
        QueryTimeout: from inside the block, in place of InterruptError.
    """
    deadline = time.monotonic() + limit_ms / 1000
    sqlite(db).set_progress_handler(lambda: time.monotonic() > deadline, PROGRESS_OPS)
    try:
        yield
    except apsw.InterruptError as error:
        raise QueryTimeout(f"the query ran longer than {limit_ms} ms") from error
    finally:
        sqlite(db).set_progress_handler(None)


def sqlite(db: Db) -> apsw.Connection:
    """The same connection as apsw's type, for functions of this room that only SQLite has."""
    assert isinstance(db, apsw.Connection)
    return db


def is_marked(db: Db) -> bool:
    """Whether the file says that it is bloop's."""
    return bool(sqlite(db).pragma("application_id") == APPLICATION_ID)


def mark(db: Db) -> None:
    """Have the file say that it is bloop's (CONNECTION-1)."""
    sqlite(db).pragma("application_id", APPLICATION_ID)


@contextmanager
def damage_named(path: Path | str) -> Iterator[None]:
    """Turn errors about a damaged file into one that names it and says what helps.

    Raises:
        DatabaseDamaged: from inside the block.
    """
    try:
        yield
    except DAMAGE_ERRORS as error:
        raise DatabaseDamaged(
            f"the database {path} is damaged ({error}): stop bloop and restore a backup with `bloop restore`"
        ) from error


def engine_version() -> str:
    """The version of the SQLite library, such as 3.51.0."""
    return apsw.sqlite_lib_version()


def database_version(db: Db) -> tuple[int, int]:
    """A value that changes with every commit to the database, by this or any other connection."""
    return int(sqlite(db).pragma("data_version")), db.total_changes()


def release_memory(db: Db) -> None:
    """Empty the page cache; any other connection's commit would, too."""
    sqlite(db).pragma("shrink_memory")


def _roll_back(db: Db) -> None:
    if sqlite(db).in_transaction:  # some errors (full disk, I/O) have rolled back already
        db.execute("ROLLBACK")


def _open(path: Path | str, flags: int) -> apsw.Connection:
    try:
        db = apsw.Connection(str(path), flags=flags)
        db.set_busy_timeout(BUSY_TIMEOUT_MS)
        db.pragma("schema_version")  # reads the header: fails here if the file is no database
    except (apsw.CantOpenError, apsw.NotADBError, apsw.CorruptError) as error:
        raise StorageError(f"cannot open the database {path}: {error}") from error
    try:
        with damage_named(path):
            _check_is_ours(db, path)
    except BaseException:
        db.close()
        raise
    db.pragma("foreign_keys", True)
    db.pragma("temp_store", "MEMORY")
    db.pragma("trusted_schema", False)
    db.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)  # "text" in double quotes is a column or an error, never a string
    db.config(apsw.SQLITE_DBCONFIG_DQS_DDL, 0)
    return db


def _check_is_ours(db: apsw.Connection, path: Path | str) -> None:
    """Return for bloop's files, and for empty ones. Changes nothing (CONNECTION-1).

    Raises:
        StorageError: it is another program's.
    """
    application_id = db.pragma("application_id")
    if application_id == APPLICATION_ID:
        return
    if application_id == 0:
        has_tables = bool(db.execute(_HAS_TABLES).get)
        columns = {row[1] for row in db.execute(_MIGRATION_COLUMNS)}
        if not has_tables or columns == _OUR_MIGRATION_COLUMNS:
            return
    raise StorageError(
        f"{path} is the database of another program (application_id {application_id}): "
        "set database.path to a file of bloop's own"
    )


def _set_up_wal(db: apsw.Connection) -> None:
    """WAL and incremental vacuum. `auto_vacuum` only takes effect before the first table exists."""
    if db.pragma("auto_vacuum") != AUTO_VACUUM_INCREMENTAL:  # setting it again would take the write lock
        db.pragma("auto_vacuum", "INCREMENTAL")
    mode = db.pragma("journal_mode", "wal")
    if mode != "wal":  # a network filesystem, or a file system without shared memory
        raise StorageError(f"SQLite refuses WAL mode (it answers {mode!r}); is the database on a network filesystem?")
    if not is_marked(db) and not db.execute(_HAS_TABLES).get:  # a new file; old ones are marked with a migration
        mark(db)
