"""The engine's errors, by names that do not depend on the engine. Import the module: `db_errors.BusyError`.

Error                   the base of all
├── SQLError            a statement that this database does not understand
├── ConstraintError     a row that a constraint forbids
├── InterruptError      a statement was stopped, by a time limit or because the process is to end
├── BusyError           another connection kept the lock for too long
└── FullError, LockedError, IOError, CantOpenError, ReadOnlyError, NoMemError, CorruptError, NotADBError
"""

from __future__ import annotations

import apsw

Error = apsw.Error
SQLError = apsw.SQLError
ConstraintError = apsw.ConstraintError
InterruptError = apsw.InterruptError
BusyError = apsw.BusyError
FullError = apsw.FullError
LockedError = apsw.LockedError
IOError = apsw.IOError  # noqa: A001 - the engine's, hence the import of the module
CantOpenError = apsw.CantOpenError
ReadOnlyError = apsw.ReadOnlyError
NoMemError = apsw.NoMemError
CorruptError = apsw.CorruptError
NotADBError = apsw.NotADBError

# Errors that mean that the file is damaged: trying again changes nothing, restoring a backup does.
DAMAGE_ERRORS = (CorruptError, NotADBError)

# Errors that mean "not now" for the database rather than "not this" for a record. READONLY is here because a file
# system that ran into trouble is often remounted read-only.
OPERATIONAL_ERRORS = (
    FullError,
    BusyError,
    LockedError,
    IOError,
    CantOpenError,
    ReadOnlyError,
    NoMemError,
    CorruptError,
    NotADBError,
    MemoryError,
)
