"""Blob stores: the adapters behind ``ports.BlobStore``, and the way from a setting to one of them.

Owns what is specific to a kind of store; keys, contents and what is garbage are decided elsewhere. Vendor
types and errors end here.
"""

from .files import FileBlobStore
from .opening import open_blob_store
from .replicated import ReplicatedBlobStore
from .s3 import S3BlobStore

__all__ = ["FileBlobStore", "ReplicatedBlobStore", "S3BlobStore", "open_blob_store"]
