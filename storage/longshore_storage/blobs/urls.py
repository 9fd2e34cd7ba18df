"""Which blob store a URL names. Owns the forms of ``blobs.url``; no error and no repr shows a secret."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from longshore_storage.errors import Misconfigured

from .keys import check_key

FORMS: Final = (
    "file:///absolute/folder, s3+http://ACCESS:SECRET@HOST:PORT/BUCKET[/prefix][?region=REGION] "
    "or the same with s3+https (percent-encode what is special in ACCESS and SECRET)"
)

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class S3Location:
    """A bucket, and a place in it, as a URL names it. ``region`` is empty where the URL names none."""

    endpoint: str
    secure: bool
    bucket: str
    prefix: str
    region: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


def shown_blob_url(url: str) -> str:
    """The same for people, without its secrets. Raises ``Misconfigured``."""
    location = parse_blob_url(url)
    if isinstance(location, Path):
        return f"file://{location}"
    scheme = "s3+https" if location.secure else "s3+http"
    return "/".join(filter(None, [f"{scheme}://{location.endpoint}", location.bucket, location.prefix]))


def parse_blob_url(url: str) -> Path | S3Location:
    """The folder or bucket that ``url`` names. Raises ``Misconfigured`` for any other form."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "file":
            return _parse_folder(parts)
        if parts.scheme in ("s3+http", "s3+https"):
            return _parse_bucket(parts)
    except ValueError:
        # Its text may quote a part of the URL, and with an unescaped secret that is a part of the secret.
        raise Misconfigured(f"blobs.url is malformed: it must be {FORMS}") from None
    raise Misconfigured(f"blobs.url is of no known kind: it must be {FORMS}")


def _parse_folder(parts: SplitResult) -> Path:
    folder = Path(unquote(parts.path))
    if parts.netloc or parts.query or parts.fragment or not folder.is_absolute() or "\0" in parts.path:
        raise ValueError("not an absolute folder of this machine")
    return folder


def _parse_bucket(parts: SplitResult) -> S3Location:
    bucket, _, prefix = parts.path.strip("/").partition("/")
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    region = options.pop("region", "")
    if options or parts.fragment or not parts.hostname or not _BUCKET.fullmatch(bucket):
        raise ValueError("not a bucket")
    if region and not _REGION.fullmatch(region):
        raise ValueError("not a region")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return S3Location(
        endpoint=host if parts.port is None else f"{host}:{parts.port}",
        secure=parts.scheme == "s3+https",
        bucket=bucket,
        prefix=check_key(prefix) if prefix else "",
        region=region,
        access_key=unquote(parts.username or ""),
        secret_key=unquote(parts.password or ""),
    )
