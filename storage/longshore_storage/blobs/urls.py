"""Which blob store a URL names. Owns the forms of ``blobs.url`` and of ``blobs.read_urls``.

No error and no repr shows a secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from longshore_storage.errors import Misconfigured

from .keys import check_key

FORMS: Final = (
    "file:///absolute/folder, s3+http://ACCESS:SECRET@HOST:PORT[,HOST:PORT…]/BUCKET[/prefix][?region=REGION] "
    "or the same with s3+https (percent-encode what is special in ACCESS and SECRET)"
)

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SERVER: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?")
_REGION: Final = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class S3Location:
    """A bucket, and a place in it, as a URL names it. ``region`` is empty where the URL names none.

    ``endpoints`` are the servers of one store, any of which gives the same answer.
    """

    endpoints: tuple[str, ...]
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
    servers = f"{scheme}://{','.join(location.endpoints)}"
    return "/".join(filter(None, [servers, location.bucket, location.prefix]))


def parse_blob_url(url: str, *, setting: str = "blobs.url") -> Path | S3Location:
    """The folder or bucket that ``url`` names. Raises ``Misconfigured`` for any other form."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "file":
            return _parse_folder(parts)
        if parts.scheme in ("s3+http", "s3+https"):
            return _parse_bucket(parts)
    except ValueError:
        # Its text may quote a part of the URL, and with an unescaped secret that is a part of the secret.
        raise Misconfigured(f"{setting} is malformed: it must be {FORMS}") from None
    raise Misconfigured(f"{setting} is of no known kind: it must be {FORMS}")


def parse_read_urls(urls: Sequence[str], main: Path | S3Location) -> list[S3Location]:
    """The replicas of ``main``, nearest first, with its keys where they lack some. Or ``Misconfigured``."""
    replicas = []
    for url in urls:
        place = parse_blob_url(url, setting="blobs.read_urls")
        if isinstance(place, Path) or isinstance(main, Path):
            raise Misconfigured("blobs.read_urls: a folder neither is a replica nor has any: name S3 stores")
        keys = place if place.access_key else main
        replicas.append(with_keys(place, keys.access_key, keys.secret_key))
    return replicas


def with_keys(place: S3Location, access_key: str, secret_key: str) -> S3Location:
    """The same with these keys where they are not empty. Raises ``Misconfigured`` when there are none."""
    access_key, secret_key = access_key or place.access_key, secret_key or place.secret_key
    if not access_key or not secret_key:
        raise Misconfigured(
            f"no access key or no secret key for bucket {place.bucket!r} at {','.join(place.endpoints)}: "
            "put both into the store's URL, or name them in blobs.access_key and blobs.secret_key"
        )
    return replace(place, access_key=access_key, secret_key=secret_key)


def _parse_folder(parts: SplitResult) -> Path:
    folder = Path(unquote(parts.path))
    if parts.netloc or parts.query or parts.fragment or not folder.is_absolute() or "\0" in parts.path:
        raise ValueError("not an absolute folder of this machine")
    return folder


def _parse_bucket(parts: SplitResult) -> S3Location:
    bucket, _, prefix = parts.path.strip("/").partition("/")
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    region = options.pop("region", "")
    keys, _, servers = parts.netloc.rpartition("@")
    access_key, _, secret_key = keys.partition(":")
    if options or parts.fragment or not _BUCKET.fullmatch(bucket):
        raise ValueError("not a bucket")
    if region and not _REGION.fullmatch(region):
        raise ValueError("not a region")
    return S3Location(
        endpoints=tuple(_endpoint(server) for server in servers.split(",")),
        secure=parts.scheme == "s3+https",
        bucket=bucket,
        prefix=check_key(prefix) if prefix else "",
        region=region,
        access_key=unquote(access_key),
        secret_key=unquote(secret_key),
    )


def _endpoint(server: str) -> str:
    parts = urlsplit(f"//{server}")
    if not parts.hostname or not _SERVER.fullmatch(server):
        raise ValueError("not a server")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return host if parts.port is None else f"{host}:{parts.port}"
