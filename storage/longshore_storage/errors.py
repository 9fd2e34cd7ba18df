"""What storage raises, as one tree. Vendor errors are translated where their adapter ends.

StorageError
├── Unavailable                a service cannot be reached or answers with a passing fault: try again
│   ├── BlobStoreUnavailable
│   ├── CatalogueUnavailable
│   └── CoordinationUnavailable
├── Misconfigured              a setting is wrong (bucket, credentials, URL, schema): trying again is vain
├── BlobNotFound               no object under that key: read the row that named it again
├── BlobStoreFull              the store refuses to take more
├── ConstraintViolated         a row clashes with a constraint; ``constraint`` names it
├── CommitUnknown              the connection broke while committing: read to find out, never repeat
├── LockLost                   the lease behind a lock ended while the work under it went on
├── BackupUnusable             a file is no backup, or a damaged one, or cannot be restored here
└── CorruptBlob                stored bytes do not have the digest their name promises
"""

from __future__ import annotations


class StorageError(Exception):
    """Base of everything that this package raises on purpose."""


class Unavailable(StorageError):
    """A service cannot be reached or answers with a passing fault; trying again may help."""


class BlobStoreUnavailable(Unavailable):
    """The blob store cannot be reached, timed out, or answered with a server error."""


class CatalogueUnavailable(Unavailable):
    """The database cannot be reached, is shutting down, or gave up on the transaction."""


class CoordinationUnavailable(Unavailable):
    """The coordination service cannot be reached or has no leader."""


class Misconfigured(StorageError):
    """A setting is wrong, so trying again is vain; the message names the setting and the way out."""


class BlobNotFound(StorageError):
    """No object is stored under the key; the row that named it may have changed meanwhile."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no object is stored under {key!r}")
        self.key = key


class BlobStoreFull(StorageError):
    """The blob store has no room left (disk full, quota reached)."""


class ConstraintViolated(StorageError):
    """A statement clashes with a constraint of the schema.

    ``constraint`` is its name in the schema, or an empty string where the database does not tell it;
    ``foreign_key`` says whether it is a foreign key.
    """

    def __init__(self, message: str, *, constraint: str = "", foreign_key: bool = False) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.foreign_key = foreign_key


class CommitUnknown(StorageError):
    """The connection broke while committing: whether it took effect is found out by reading."""


class LockLost(StorageError):
    """The lease behind a lock ended; whatever ran under it was cancelled."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the lease behind lock {name!r} ended while it was held")
        self.name = name


class BackupUnusable(StorageError):
    """A file is no backup of a catalogue, is damaged, or cannot be restored where it was asked to be."""


class CorruptBlob(StorageError):
    """Stored bytes do not have the digest, checksum or form that their name promises."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__(f"object {key!r} is corrupt: {detail}")
        self.key = key
        self.detail = detail
