"""From settings to the use case of uploads: what bounds them, and the threads that look payloads through."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from longshore_bundles import UnpackLimits
from longshore_server.access.turns import Turns
from longshore_server.draining import Draining
from longshore_server.metrics import Metrics
from longshore_server.settings import QuotaSettings, UploadSettings
from longshore_server.wakeups import Wakeups
from longshore_storage.catalogue import Catalogue
from longshore_storage.payloads import PayloadSettings, PayloadStore

from .examining import Examiner
from .left_behind import LeftBehind
from .quotas import Quotas
from .running import RunningSessions
from .staging import Staging
from .upload_tools import UploadTools
from .uploads import STALE_AFTER_S, Uploads
from .visibility import Visibility


def payload_settings(settings: UploadSettings) -> PayloadSettings:
    """What follows for storing payloads."""
    return replace(
        PayloadSettings.within(settings.memory_bytes, uploads_at_once=settings.at_once),
        uploads_waiting=settings.waiting,
        max_chunks=settings.max_chunks,
    )


@contextmanager
def open_uploads(
    settings: UploadSettings,
    quotas: QuotaSettings,
    catalogue: Catalogue,
    payloads: PayloadStore,
    wakeups: Wakeups,
    visibility: Visibility,
    metrics: Metrics,
    draining: Draining,
    *,
    scratch: Path,
    limits: UnpackLimits,
    receives: bool,
) -> Iterator[Uploads]:
    """The use case for as long as the block runs; ``scratch`` is a folder on the node's disk."""
    with (
        ThreadPoolExecutor(settings.examined_at_once, thread_name_prefix="examining") as threads,
        ThreadPoolExecutor(payloads.settings.uploads_at_once, thread_name_prefix="following") as ahead,
    ):
        staging = Staging(scratch, settings.staging_bytes, threads)
        tools = UploadTools(
            catalogue,
            payloads,
            Examiner(payloads, staging, limits, threads, ahead, Turns(settings.examined_at_once)),
            wakeups,
            visibility,
            RunningSessions(),
            Quotas(quotas, stale_after_s=STALE_AFTER_S),
            LeftBehind(),
            metrics,
            max_payload_bytes=settings.max_payload_bytes,
            min_rate_bytes_s=settings.min_rate_bytes_s,
            idle_timeout_s=settings.idle_timeout_s,
        )
        yield Uploads(tools, draining, receives=receives)
