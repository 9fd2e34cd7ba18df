from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from longshore_storage.blobs import FileBlobStore, S3BlobStore, open_blob_store
from longshore_storage.blobs.urls import S3Location, parse_blob_url, parse_read_urls, shown_blob_url
from longshore_storage.errors import Misconfigured


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:///srv/blobs", Path("/srv/blobs")),
        ("file:///srv/my%20blobs", Path("/srv/my blobs")),
        (
            "s3+http://AK:SK@127.0.0.1:9000/bucket",
            S3Location(("127.0.0.1:9000",), False, "bucket", "", "", "AK", "SK"),
        ),
        (
            "s3+https://AK:s%2Fe%40c%3Aret@s3.example.com/bucket/deep/prefix/?region=eu-central-1",
            S3Location(("s3.example.com",), True, "bucket", "deep/prefix", "eu-central-1", "AK", "s/e@c:ret"),
        ),
        ("s3+http://[::1]:9000/bucket", S3Location(("[::1]:9000",), False, "bucket", "", "", "", "")),
        (
            "s3+http://AK:SK@m1:9000,[::1]:9000,m3/bucket",
            S3Location(("m1:9000", "[::1]:9000", "m3"), False, "bucket", "", "", "AK", "SK"),
        ),
    ],
)
def test_urls(url: str, expected: object) -> None:
    assert parse_blob_url(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/srv/blobs",
        "file://host/srv/blobs",
        "file:relative",
        "file:///srv/blobs?x=1",
        "http://AK:hunter2@host/bucket",
        "s3://AK:hunter2@host/bucket",
        "s3+http://AK:hunter2@host",
        "s3+http://AK:hunter2@host/",
        "s3+http://AK:hunter2@/bucket",
        "s3+http://AK:hunter2@host/B",
        "s3+http://AK:hunter2@host/bucket/../x",
        "s3+http://AK:hunter2@host/bucket/Pre fix",
        "s3+http://AK:hunter2@host/bucket?regoin=x",
        "s3+http://AK:hunter2@host/bucket?region",
        "s3+http://AK:hunter2@host/bucket?region=EU WEST",
        "s3+http://AK:hunter2@host/bucket#x",
        "s3+http://AK:hunter2@host:99999/bucket",
        "s3+http://AK:hunter2@host,/bucket",
        "s3+http://AK:hunter2@host,host:x/bucket",
        "s3+http://AK:hunter2@host, other/bucket",
        # Secrets that were not percent-encoded: parts of them land where hosts and ports are expected.
        "s3+http://AK:hunter2/x@host:9000/bucket",
        "s3+http://AK:x#hunter2@host:9000/bucket",
        "s3+http://AK:x[hunter2@host:9000/bucket",
    ],
)
def test_other_urls_are_refused_with_the_known_forms_and_without_the_secret(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"blobs\.url .*s3\+http://ACCESS:SECRET") as caught:
        parse_blob_url(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_location_hides_its_keys() -> None:
    assert "hunter2" not in repr(parse_blob_url("s3+http://hunter2:hunter2@host/bucket"))


def test_it_is_shown_with_its_servers_and_without_its_keys() -> None:
    shown = shown_blob_url("s3+https://AK:hunter2@m1:9000,m2:9000/bucket/deep")
    assert shown == "s3+https://m1:9000,m2:9000/bucket/deep"


async def test_the_factory_opens_what_the_url_names(tmp_path: Path) -> None:
    async with open_blob_store(f"file://{tmp_path}/blobs") as store:
        assert isinstance(store, FileBlobStore)
        assert repr(store) == f"FileBlobStore('{tmp_path}/blobs')"
    async with open_blob_store("s3+http://AK:hunter2@127.0.0.1:1/bucket/p") as store:
        assert isinstance(store, S3BlobStore)
        assert repr(store) == "S3BlobStore('127.0.0.1:1', 'bucket', prefix='p/')"


@pytest.mark.parametrize(
    ("url", "keys"),
    [
        ("s3+http://host/bucket", {}),
        ("s3+http://AK@host/bucket", {}),
        ("s3+http://host/bucket", {"access_key": "AK"}),
        ("s3+http://host/bucket", {"secret_key": "SK"}),
    ],
)
async def test_missing_keys_are_told(url: str, keys: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="no access key or no secret key"):
        async with open_blob_store(url, **keys):  # type: ignore[arg-type]
            pytest.fail("opened without keys")


def test_replicas_have_the_stores_keys_unless_they_name_their_own() -> None:
    main = parse_blob_url("s3+http://AK:SK@main/bucket")
    plain, own = parse_read_urls(["s3+http://near/bucket", "s3+https://AK2:SK2@far/other/deep"], main)
    assert (plain.endpoints, plain.access_key, plain.secret_key) == (("near",), "AK", "SK")
    assert (own.bucket, own.prefix, own.access_key, own.secret_key) == ("other", "deep", "AK2", "SK2")


@pytest.mark.parametrize(
    ("url", "replica", "told"),
    [
        ("file:///srv/blobs", "s3+http://AK:SK@near/bucket", "a folder neither is a replica nor has any"),
        ("s3+http://AK:SK@main/bucket", "file:///srv/blobs", "a folder neither is a replica nor has any"),
        ("s3+http://AK:SK@main/bucket", "near:9000", r"blobs\.read_urls is of no known kind"),
        ("s3+http://AK:SK@main/bucket", "s3+http://AK@near/bucket", "no access key or no secret key"),
    ],
)
def test_other_replicas_are_refused(url: str, replica: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        parse_read_urls([replica], parse_blob_url(url))
