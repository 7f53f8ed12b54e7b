"""The engine's interface for features: run statements, read rows. The SQL of statements: `bloop.db.portable`.

`apsw.Connection` and `apsw.Cursor` are a `Db` and a `Rows` as they are: without a wrapper, calls cost nothing extra.
What only SQLite has (pragmas, checkpoints, its full-text index, its backups) is a function in a module of this room;
no module outside of it imports apsw.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

import orjson

Row = tuple[Any, ...]
Bindings = Sequence[Any] | Mapping[str, Any]


class Rows(Protocol):
    """The rows of a statement, computed as they are read; closing it early releases the snapshot."""

    def execute(self, statements: str, bindings: Bindings | None = None, /) -> Rows: ...

    def fetchone(self) -> Row | None: ...

    def fetchall(self) -> list[Row]: ...

    def __iter__(self) -> Iterator[Row]: ...

    def __next__(self) -> Row: ...

    def close(self) -> None: ...

    @property
    def get(self) -> Any:
        """The whole result in its simplest shape: just the value if it is one row of one column, None without rows."""


class Db(Protocol):
    """A connection, used by one thread at a time. `bloop.db.connection` opens it and has its transactions."""

    def execute(self, statements: str, bindings: Bindings | None = None, /) -> Rows: ...

    def executemany(self, statements: str, bindings: Iterable[Bindings], /) -> Rows: ...

    def cursor(self) -> Rows: ...

    def changes(self) -> int:
        """Rows changed by the last INSERT, UPDATE or DELETE."""

    def total_changes(self) -> int:
        """Rows changed since the connection was opened."""

    def __enter__(self) -> Db:
        """A savepoint: a failure inside undoes only the block. Outside of a transaction, it is one."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None: ...

    def close(self) -> None: ...


def ids_json(ids: Sequence[int]) -> str:
    """A list of row ids as one binding, read back with json_each: the statement stays constant."""
    return orjson.dumps(list(ids)).decode()
