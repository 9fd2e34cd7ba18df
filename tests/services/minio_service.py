"""One MinIO server with a folder as its only drive."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3
from minio import Minio
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from .child import Command
from .ports import ReservedPort
from .service import Service


class _NotRemoved(Exception):
    """The server refuses to remove an object."""


# Several servers that were broken take a while to write again.
_until_it_writes = retry(
    retry=retry_if_exception_type((_NotRemoved, S3Error)),
    stop=stop_after_delay(30),
    wait=wait_fixed(0.5),
    reraise=True,
)


class MinioService(Service):
    """``endpoint`` is ``127.0.0.1:PORT``, plain HTTP; the keys are those of its root user."""

    def __init__(self, program: Path, folder: Path) -> None:
        super().__init__()
        self._program = program
        self._folder = folder
        self._port = ReservedPort()
        self.endpoint = self._port.address
        self.access_key = f"test{secrets.token_hex(6)}"
        self.secret_key = secrets.token_hex(16)
        self.data_dir = folder / "data"
        self.data_dir.mkdir(parents=True)

    def command(self) -> Command:
        certificates = self._folder / "certificates"
        where = ["--address", self.endpoint, "--certs-dir", str(certificates)]
        return Command(
            name="minio",
            argv=[str(self._program), "server", *where, str(self.data_dir)],
            folder=self._folder,
            env={
                "HOME": str(self._folder),
                "MINIO_ROOT_USER": self.access_key,
                "MINIO_ROOT_PASSWORD": self.secret_key,
                "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off",
            },
        )

    def ready(self) -> bool:
        # A signed request: the health endpoints answer before users and buckets are there.
        try:
            self.client().list_buckets()
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(str(error)) from error
        except MinioException:
            return False
        return True

    def client(self) -> Minio:
        """A client with all rights that gives up soon and never retries."""
        pool = urllib3.PoolManager(timeout=urllib3.Timeout(5), retries=False)
        return Minio(
            self.endpoint,
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=False,
            region="us-east-1",
            http_client=pool,
        )

    def url(self, bucket: str) -> str:
        """``bucket`` in the form of the setting ``blobs.url``."""
        return f"s3+http://{self.access_key}:{self.secret_key}@{self.endpoint}/{bucket}"

    @contextmanager
    def fresh_bucket(self) -> Iterator[str]:
        """A bucket of its own, emptied and removed at the end, also when the service was broken meanwhile."""
        self.ensure_running()
        name = f"test-{uuid.uuid4().hex}"
        self._make(name)
        try:
            yield name
        finally:
            self.ensure_running()
            self._remove(name)

    @_until_it_writes
    def _make(self, bucket: str) -> None:
        try:
            self.client().make_bucket(bucket)
        except S3Error as error:
            # By a try that seemed to fail.
            if error.code != "BucketAlreadyOwnedByYou":
                raise

    @_until_it_writes
    def _remove(self, bucket: str) -> None:
        # What a server that has just started says of its buckets is not certain yet, and one that was removed
        # while it looked them through it makes anew: the folder tells.
        folder = self.data_dir / bucket
        if not folder.exists():
            return
        client = self.client()
        objects = client.list_objects(bucket, recursive=True, include_version=True)
        doomed = (DeleteObject(found.object_name, found.version_id) for found in objects if found.object_name)
        for error in client.remove_objects(bucket, doomed):
            raise _NotRemoved(f"{error.name} cannot be removed from {bucket}: {error.message}")
        client.remove_bucket(bucket)
        if folder.exists():
            raise _NotRemoved(f"{bucket} is there again")

    def close(self) -> None:
        super().close()
        self._port.close()
