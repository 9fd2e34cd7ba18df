"""What storing and reading payloads raises on purpose, as one tree; all are ``StorageError``.

PayloadError
├── UploadRefused              what was sent is wrong: this upload cannot go on with it
│   ├── OffsetMismatch         bytes for another place than the next one
│   ├── UploadWayMixed         data in an upload of chunks, or the other way round
│   ├── ChunkInvalid           a chunk is not what its digest or its size promises
│   │   └── ChunkFrameInvalid  a compressed chunk breaks the rules for frames
│   ├── TooManyChunks          chunks far smaller than any cutter makes them
│   ├── ChunkLimitExceeded     more chunks than a payload may have
│   ├── ChunkMissing           references to chunks that are not there: send their bytes
│   ├── PayloadEmpty           the upload ended without a byte
│   ├── SizeMismatch           the payload has another size than declared
│   └── Sha256Mismatch         the payload has another sha256 than declared
├── TooManyUploads             as many uploads are in as may take bytes and wait: try again soon
├── UploadLost                 the upload cannot be gone on with from here, its stored part remains
│   ├── UploadTakenOver        another session holds it now, or it has ended
│   ├── PackFileGone           a pack file it counted on was collected: send those bytes again
│   └── PackFileDamaged        a pack file it counted on turned out damaged: send those bytes again
├── PayloadNotStored           no stored payload has that sha256
└── ReadingAbandoned           whoever asked for a payload in a thread has given up waiting for it
"""

from __future__ import annotations

from collections.abc import Sequence

from longshore_storage.errors import StorageError


class PayloadError(StorageError):
    """Base of what this package raises on purpose."""


class UploadRefused(PayloadError):
    """What the client sent is wrong; sending it again is vain."""


class OffsetMismatch(UploadRefused):
    """The bytes are for another place than the next one."""

    def __init__(self, expected: int, got: int) -> None:
        super().__init__(f"the upload goes on at byte {expected}, bytes for {got} were sent")
        self.expected = expected
        self.got = got


class UploadWayMixed(UploadRefused):
    """An upload goes one way, as data or as chunks, from its first byte to its last."""

    def __init__(self, way: str, got: str) -> None:
        super().__init__(f"the upload began the way {way}, it cannot go on the way {got}")
        self.way = way
        self.got = got


class ChunkInvalid(UploadRefused):
    """A chunk is not what its digest or its size promises. ``digest`` is the promised one."""

    def __init__(self, digest: bytes, detail: str) -> None:
        super().__init__(f"chunk {digest.hex()}: {detail}")
        self.digest = digest
        self.detail = detail


class ChunkFrameInvalid(ChunkInvalid):
    """A compressed chunk breaks the rules for frames."""


class TooManyChunks(UploadRefused):
    """Chunks far smaller than any cutter makes them: they would cost more than the payload."""

    def __init__(self, chunk_count: int, size_bytes: int) -> None:
        super().__init__(
            f"{chunk_count} chunks for {size_bytes} bytes are too many: cut with the server's parameters"
        )
        self.chunk_count = chunk_count
        self.size_bytes = size_bytes


class ChunkLimitExceeded(UploadRefused):
    """The payload has more than ``limit`` chunks, whatever their size."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the payload has more than {limit} chunks")
        self.limit = limit


class ChunkMissing(UploadRefused):
    """References name chunks that are not there for this project; their bytes have to be sent."""

    def __init__(self, digests: Sequence[bytes]) -> None:
        super().__init__(
            f"{len(digests)} of the chunks referred to are not stored, the first is {digests[0].hex()}: "
            "ask for missing chunks again and send their bytes"
        )
        self.digests = tuple(digests)


class PayloadEmpty(UploadRefused):
    """The upload ended without a byte; there is nothing to deploy."""

    def __init__(self) -> None:
        super().__init__("the payload is empty: nothing was sent")


class SizeMismatch(UploadRefused):
    """The payload has another size than declared; when ``got`` is larger, it was sent only in part."""

    def __init__(self, declared: int, got: int) -> None:
        super().__init__(f"the payload was declared with {declared} bytes, {got} were sent")
        self.declared = declared
        self.got = got


class Sha256Mismatch(UploadRefused):
    """The payload has another sha256 than declared. Both are 64 hexadecimal digits."""

    def __init__(self, declared: str, got: str) -> None:
        super().__init__(f"the payload was declared with sha256 {declared}, what was sent has {got}")
        self.declared = declared
        self.got = got


class TooManyUploads(PayloadError):
    """As many uploads take bytes and wait as may, of all together or of one owner: no more are let in now."""


class UploadLost(PayloadError):
    """The upload cannot be gone on with from here; its stored part remains and can be resumed."""


class UploadTakenOver(UploadLost):
    """Another session holds the upload now, or it has ended; nothing more is written from here."""

    def __init__(self, deployment_id: str) -> None:
        super().__init__(f"the upload of deployment {deployment_id} was taken over or has ended")
        self.deployment_id = deployment_id


class PackFileGone(UploadLost):
    """A pack file that the upload counted on was collected; resuming sends its bytes again."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"{detail} was collected meanwhile: resume the upload")


class PackFileDamaged(UploadLost):
    """A pack file that the upload counted on turned out damaged; resuming sends its bytes again."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"{detail} turned out damaged: resume the upload")


class PayloadNotStored(PayloadError):
    """No stored payload has that sha256: never deployed, or its bytes were reclaimed."""

    def __init__(self, sha256: str) -> None:
        super().__init__(f"no payload with sha256 {sha256} is stored")
        self.sha256 = sha256


class ReadingAbandoned(PayloadError):
    """Whoever asked for a payload in a thread has given up waiting for it: the thread is to end."""

    def __init__(self) -> None:
        super().__init__("the payload is no longer wanted: its reading was given up")
