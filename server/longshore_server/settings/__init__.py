"""A node's settings: a YAML file, ``LONGSHORE_*`` variables over it, command-line options over both.

``database.url`` in the file is ``LONGSHORE_DATABASE__URL`` in the environment, where a list is written
with commas. With nothing set a node is the embedded default: SQLite, a folder of blobs and in-process
coordination, all in ``data_dir``.
``LONGSHORE_SERVER`` is the client's only.
"""

from .access import AccessSettings, IssuerSettings, TlsSettings
from .loading import load_settings
from .notifications import ReceiverSettings
from .pushing import PushHookSettings, PushSettings
from .quotas import QuotaSettings
from .sections import AuditSettings, UploadSettings
from .settings import Settings
from .tracing import TracingSettings

__all__ = [
    "AccessSettings",
    "AuditSettings",
    "IssuerSettings",
    "PushHookSettings",
    "PushSettings",
    "QuotaSettings",
    "ReceiverSettings",
    "Settings",
    "TlsSettings",
    "TracingSettings",
    "UploadSettings",
    "load_settings",
]
