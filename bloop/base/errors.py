"""Every error bloop raises on purpose.

    BloopError
    ├── ConfigError            a setting is missing, unknown or out of range; names the key
    ├── WireError              the request never became an event
    │   ├── BodyTooLarge       more bytes than the route takes, before or after inflating
    │   ├── BadEncoding        the body does not inflate, or the encoding is not one we know
    │   └── Unauthorized       no credential, or one that does not verify
    │       └── UnknownKey     a key that no project has
    ├── Forbidden              a valid credential without the scope, role or project
    ├── InvalidEvent           JSON that breaks the event contract; names the field
    │   └── FieldTooLarge      a field that would fit if it were cut; refused unless its project wants it cut
    ├── InvalidParameter       a query or path parameter that cannot be read; names it
    │   └── InvalidField       a field of a form or a JSON body; its reason is a whole sentence
    ├── Declined               a request refused with the text its clients know
    ├── UnreadableRecord       the payload of a ring record does not decode
    ├── RateLimited            this client spent its tokens; says when to come back
    ├── NotFound               a row the caller asked for by name
    ├── Conflict               the change contradicts what is stored
    ├── RingError              the shared segment is missing, foreign or already owned
    │   ├── RingMissing
    │   ├── RingMismatch
    │   └── LaneUnavailable
    ├── OutboundError          a message was not sent; names the host, never a path, token or password
    │   ├── OutboundRefused    an address, name or port bloop does not send to: another try would fail too
    │   └── Unreachable        no address, no connection, no answer in time, no TLS: worth another try
    └── StorageError           the database refuses to open, migrate or answer
        ├── BackupError        a backup cannot be made, or is not what its manifest says
        ├── DatabaseDamaged    parts of the file are not what SQLite wrote
        ├── SchemaTooNew       written by a later bloop
        ├── QueryTimeout       a read ran longer than its limit
        └── DatabaseBusy       no connection or no write lock within the time allowed

Messages are safe to show to the client that caused them. Status codes live in `site/errors.py`, exit codes in
`workers/process.py`. A broken invariant is an `assert`, never one of these.
"""

from __future__ import annotations

LINE_CHARS_MAX = 600  # of a ConfigError


class BloopError(Exception):
    """Base of the tree; catch it only where every expected error gets the same answer."""


class ConfigError(BloopError):
    """A setting cannot be used: `key` is `section.name`, `reason` says what would be accepted."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key, self.reason = key, reason

    def __str__(self) -> str:
        """One line, and not a long one, whatever the settings hold: it is printed to terminals and logs."""
        text = f"{self.key}: {self.reason}"
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:LINE_CHARS_MAX])
        return line if len(text) <= LINE_CHARS_MAX else f"{line}…"


class WireError(BloopError):
    """The bytes of a request are not acceptable."""


class BodyTooLarge(WireError):
    """The body passes `bytes_max` (after inflating, when it is compressed)."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(bytes_max)
        self.bytes_max = bytes_max

    def __str__(self) -> str:
        return f"body exceeds {self.bytes_max} bytes"


class BadEncoding(WireError):
    """The body's Content-Encoding is unknown, or the body does not inflate."""


class Unauthorized(WireError):
    """No credential, or one that does not verify."""


class UnknownKey(Unauthorized):
    """The request names a project key that no project has."""


class Forbidden(BloopError):
    """The credential is valid but does not allow this."""


class InvalidEvent(BloopError):
    """The body is JSON but breaks the event contract: `path` names the field, `reason` is safe to show the client.

    `path` is `""` when the body as a whole is at fault, else a dotted path such as `events[3].timestamp`.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return self.reason


class FieldTooLarge(InvalidEvent):
    """A field of the event is longer than its bound, and nothing else is known to be wrong with it."""


class InvalidParameter(BloopError):
    """A query, path or form parameter cannot be read: `name` names it, `reason` says what would be accepted."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class InvalidField(InvalidParameter):
    """A field of a form or of a JSON body is invalid. `reason` is a whole sentence naming it: clients know the text."""

    def __str__(self) -> str:
        return self.reason


class Declined(BloopError):
    """The request is valid and refused: a 400 with exactly this message."""


class UnreadableRecord(BloopError):
    """A ring record verified its checksum and still does not decode: another version wrote it."""


class RateLimited(BloopError):
    """This client spent its tokens; one comes back in `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"too many requests, retry in {self.retry_after_s} s"


class NotFound(BloopError):
    """The requested object does not exist, or the caller has no access to it."""


class Conflict(BloopError):
    """The change contradicts what is stored."""


class RingError(BloopError):
    """The shared-memory ring cannot be used."""


class RingMissing(RingError):
    """No segment of that name; the process that creates it is not up yet."""


class RingMismatch(RingError):
    """The segment exists but is not ours: wrong magic, layout version or size."""


class LaneUnavailable(RingError):
    """Every lane is claimed, or the consumer's place is taken by a live process."""


class OutboundError(BloopError):
    """A message was not sent. The error names at most the host: paths and queries hold tokens."""


class OutboundRefused(OutboundError):
    """An address, name or port that bloop does not send to."""


class Unreachable(OutboundError):
    """No server answered there in time, or not over TLS as required."""


class StorageError(BloopError):
    """The database refuses to open, migrate or answer."""


class BackupError(StorageError):
    """A backup cannot be made, or does not match its manifest."""


class DatabaseDamaged(StorageError):
    """Parts of the file are not what SQLite wrote: a restored backup helps, trying again does not."""


class SchemaTooNew(StorageError):
    """The database was written by a later bloop; this one would not understand it."""


class QueryTimeout(StorageError):
    """A read ran longer than its limit and was interrupted."""


class DatabaseBusy(StorageError):
    """No free connection, or no write lock, within the time allowed; worth trying again."""
