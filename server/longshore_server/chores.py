"""The work of the night shift: what a node collects, compacts and seals beside its calls."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from longshore_storage.catalogue.rows import Actor

from .auditing import SealingTimer, make_sealing
from .collecting import CollectingTimer, make_collector
from .disk import DataFolder
from .healing import CompactionTimer, Healers
from .metrics import Metrics
from .settings import Settings
from .stores import Stores
from .wakeups import Kind, Wakeups


def chores(
    settings: Settings,
    stores: Stores,
    healers: Healers,
    folder: DataFolder,
    wakeups: Wakeups,
    metrics: Metrics,
    actor: Actor,
    *,
    controls: bool,
) -> list[Coroutine[Any, Any, None]]:
    """Each chore as what runs until it is cancelled; of what all nodes share only one that ``controls``."""
    work: list[Coroutine[Any, Any, None]] = []
    if settings.collecting.every_s:
        collector = make_collector(
            settings,
            stores.catalogue,
            stores.blobs,
            actor,
            given_up=lambda deployment_id: wakeups.send(Kind.PROGRESS, deployment_id),
        )
        timer = CollectingTimer(
            collector if controls else None,
            stores.coordination,
            folder,
            every_s=settings.collecting.every_s,
            on_collected=metrics.collected,
        )
        work.append(timer.run())
    if settings.compacting.every_s and controls:
        every_s = settings.compacting.every_s
        work.append(CompactionTimer(healers.compaction, stores.coordination, every_s=every_s).run())
    if settings.audit.seal_every_s and controls:
        sealing = make_sealing(
            settings.audit, stores.catalogue, stores.blobs, actor, sealed=metrics.audit_batch_sealed
        )
        every_s = settings.audit.seal_every_s
        work.append(SealingTimer(sealing, stores.coordination, every_s=every_s).run())
    return work
